package doctor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"redial/steps/lessons"
)

// A proxy recognises a client by its cookie, and an application by its host.
func TestUpgradePassesAProxyWithStickyCookiesAndAHost(t *testing.T) {
	t.Parallel()
	lesson, err := lessons.Find("7")
	if err != nil {
		t.Fatal(err)
	}
	handler, closer, err := lessons.Handler(lesson, lessons.Settings{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, unknown := r.Cookie("node")
		if unknown != nil {
			http.SetCookie(w, &http.Cookie{Name: "node", Value: "a", Path: "/"})
		}
		if strings.HasPrefix(r.URL.Path, "/socket.io/") && (r.Host != "chat.test" || unknown != nil && r.URL.Query().Has("sid")) {
			http.Error(w, "another node", http.StatusBadRequest)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	defer closer.Close()
	defer server.Close()
	defer server.CloseClientConnections()
	examined(t, at(t, server.URL, `socket: {headers: {Host: chat.test}, auth: {serverOffset: "{{offset}}"}, send: {event: chat message, args: ["{{text}}"]}, receive: {event: chat message, offset: $2}}`),
		map[ID]Mark{Handshake: Good, Transports: Good, Delivered: Good})
}
