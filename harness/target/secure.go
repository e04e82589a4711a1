//go:build !js

package target

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A secureRelay listens on 127.0.0.1 for plain connections and forwards their bytes to a
// server over TLS. Links have to find the frames in what they forward, so TLS begins behind
// them.
type secureRelay struct {
	listener net.Listener
	server   string
	config   *tls.Config
	giveUp   context.CancelFunc
	running  sync.WaitGroup
}

// secureDial bounds a TCP connection and its TLS handshake.
const secureDial = 10 * time.Second

func newSecureRelay(server string, config *tls.Config) (*secureRelay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &secureRelay{listener: listener, server: server, config: config, giveUp: cancel}
	r.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.pass(ctx, client) })
		}
	})
	return r, nil
}

func (r *secureRelay) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, secureDial)
	defer cancel()
	return (&tls.Dialer{Config: r.config}).DialContext(ctx, "tcp", r.server)
}

// pass copies in both directions until both have ended or the relay is closed.
func (r *secureRelay) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := r.dial(ctx)
	if err != nil {
		return // the client sees its connection end, as it would without a relay
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.(*tls.Conn).CloseWrite()
	})
	_, _ = io.Copy(client, server)
	_ = client.(*net.TCPConn).CloseWrite()
	up.Wait()
}

func (r *secureRelay) close() error {
	r.giveUp()
	err := r.listener.Close()
	r.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}
