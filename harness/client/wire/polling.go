package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

var errPolling = errors.New("polling failed")

// separator separates the packets of a polling payload.
const separator = "\x1e"

// A pollingTransport is HTTP long-polling on net/http: one GET is always in flight, and one POST
// at a time. GETs and POSTs have a connection each, so that the scheduler does not decide which
// connection a request takes. The transport never upgrades.
type pollingTransport struct {
	to       endpoint
	session  string // set once the open packet is read, before anything else runs
	get, put *http.Client
	ctx      context.Context
	cancel   context.CancelFunc
}

func dialPolling(dial dialer, to endpoint) transport {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t := &pollingTransport{to: to}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	// net/http ends the dial of a request that is cancelled, or lets it go on, as the scheduler
	// has it. A connection that nothing uses would change the numbers of those after it.
	untilClosed := func(_ context.Context, network, address string) (net.Conn, error) {
		return dial(t.ctx, network, address)
	}
	client := func() *http.Client {
		return &http.Client{Jar: to.cookies, Transport: &http.Transport{DialContext: untilClosed, DisableCompression: true}}
	}
	t.get, t.put = client(), client()
	return t
}

func (t *pollingTransport) read() ([]packet, error) {
	payload, err := t.request(http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	var packets []packet
	for _, text := range strings.Split(payload, separator) {
		p := packet{text: text}
		if encoded, isBinary := strings.CutPrefix(text, "b"); isBinary {
			if p.binary, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				return nil, err
			}
		}
		packets = append(packets, p)
	}
	return packets, nil
}

func (t *pollingTransport) write(packets []packet) error {
	texts := make([]string, len(packets))
	for i, p := range packets {
		texts[i] = p.text
		if p.binary != nil {
			texts[i] = "b" + base64.StdEncoding.EncodeToString(p.binary)
		}
	}
	_, err := t.request(http.MethodPost, strings.Join(texts, separator))
	return err
}

func (t *pollingTransport) request(method, body string) (answer string, err error) {
	address, err := t.to.address("polling", t.session)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(t.ctx, method, address, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header = t.to.ownHeader()
	request.Host = t.to.header.Get("Host") // empty means that of the address
	client := t.get
	if method == http.MethodPost {
		client = t.put
		request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", errPolling, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, messageBound+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w (%w)", errPolling, err)
	case len(data) > messageBound:
		return "", fmt.Errorf("%w (an answer of more than %d bytes)", errPolling, messageBound)
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%w (%s)", errPolling, response.Status)
	}
	return string(data), nil
}

func (t *pollingTransport) farewell() { t.write([]packet{{text: closePacket}}) }

// close makes net/http's goroutines end, which they do shortly after it returns.
func (t *pollingTransport) close() {
	t.cancel()
	t.get.CloseIdleConnections()
	t.put.CloseIdleConnections()
}
