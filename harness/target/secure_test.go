package target

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHTTPSAddressIsReachedThroughRelay(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s over %s", body, r.Proto)
	}))
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())

	u, err := NewURL(server.URL, &tls.Config{RootCAs: trusted})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u.String() != server.URL || u.Address() == server.Listener.Addr().String() {
		t.Errorf("it is %s at %s", u, u.Address())
	}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := plain.Post("http://"+u.Address()+"/", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(answer) != strings.Repeat("x", 1<<20)+" over HTTP/1.1" {
		t.Errorf("%d bytes came back, %v", len(answer), err)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	if _, err := plain.Get("http://" + u.Address() + "/"); err == nil {
		t.Error("the relay still accepts connections after Close")
	}

	untrusted, err := NewURL(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer untrusted.Close()
	if err := untrusted.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "\n") {
		t.Errorf("want one line about the certificate, got %v", err)
	}
	for _, raw := range []string{"https://", "https://127.0.0.1/path"} {
		if _, err := NewURL(raw, nil); err == nil {
			t.Errorf("%q was accepted", raw)
		}
	}
}
