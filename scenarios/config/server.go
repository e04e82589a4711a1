package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

// An Application is named by its redial.yaml, or else by its URL or the command that starts it.
type Application struct {
	Config, URL string
	Command     []string
	// OwnPage has the meaning of File's field.
	OwnPage bool
}

// Server makes the server under test at the level. An empty level selects that of the file, or
// else server-delivery.
func (a Application) Server(level contract.Level) (servers.Server, error) {
	claimed := cmp.Or(level, contract.ServerDelivery)
	switch {
	case a.Config != "":
		f, err := Read(a.Config)
		if err != nil {
			return servers.Server{}, err
		}
		f.OwnPage = a.OwnPage
		server, err := f.Server(level)
		if err != nil {
			err = fmt.Errorf("%s: %w", a.Config, err)
		}
		return server, err
	case a.URL != "":
		return servers.URL(a.URL, nil, claimed)
	}
	return servers.Command(target.CommandOptions{Command: a.Command}, claimed)
}

// Server makes the server under test that the file describes. An empty level selects the
// level in the file.
func (f *File) Server(level contract.Level) (s servers.Server, err error) {
	if level != "" || f.OwnPage {
		f.Level = cmp.Or(level, f.Level)
		if err := f.validate(); err != nil {
			return s, err
		}
	}
	if t := f.Target; t.URL != "" {
		secure, err := f.trust()
		if err != nil {
			return s, err
		}
		if s, err = servers.URL(t.URL, secure, f.level()); err != nil {
			return s, fmt.Errorf("target: url: %w", err)
		}
	} else if s, err = servers.Command(f.command(), f.level()); err != nil {
		return s, err
	}
	if f.Name != "" {
		s.Name = f.Name
	}
	s.Shared, s.StartBound = !f.Target.Isolated, f.Target.startBound()
	s.Protocol, s.File = f.protocol(), f.name
	if s.Protocol != nil && s.Protocol.Parser == protocol.MessagePack {
		s.Bundle = lessons.FetchMessagePackBundle
	}
	if f.Page != nil && (f.OwnPage || f.Socket == nil) {
		s.OwnPage, s.Pairwise, s.Trims = f.OwnPage, f.Page.Pairwise(), f.Page.Without != ""
		s.NewPage, s.NoEcho = f.Page.New, f.Page.Echo != nil && !*f.Page.Echo
	}
	if f.Log != nil {
		s.ReadLog = f.Log.Reader(f.folder, f.Socket != nil && f.Socket.Receive.Opaque)
	}
	return s, nil
}

func (f *File) command() target.CommandOptions {
	t := f.Target
	when, _ := ready(t.Ready) // Parse has validated it
	options := target.CommandOptions{Command: t.Command, Dir: f.path(t.Dir), Port: t.Port, Ready: when}
	if len(t.Command) == 3 && t.Command[0] == shell {
		options.Name = strings.Join(strings.Fields(t.Command[2]), " ")
	}
	for name, value := range t.Env {
		options.Env = append(options.Env, name+"="+value)
	}
	slices.Sort(options.Env)
	return options
}

// path makes a path of the file absolute. An empty path is the folder of the file.
func (f *File) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.folder, name)
}

// ready parses the three forms GET /path, port and line TEXT.
func ready(text string) (target.Ready, error) {
	how, what, _ := strings.Cut(text, " ")
	what = strings.TrimSpace(what)
	switch {
	case text == "":
		return target.Ready{}, nil
	case how == "GET" && strings.HasPrefix(what, "/"):
		return target.Ready{Path: what}, nil
	case text == "port":
		return target.Ready{Accepts: true}, nil
	case how == "line" && what != "":
		return target.Ready{Line: what}, nil
	}
	return target.Ready{}, fmt.Errorf("write GET /path, port, or line and the text that the server prints; not %q", text)
}

// trust returns nil if the system's certificates are trusted.
func (f *File) trust() (*tls.Config, error) {
	t := f.Target.TLS
	if t == nil {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure} // the user has set it explicitly
	if t.CA == "" {
		return config, nil
	}
	text, err := os.ReadFile(f.path(t.CA))
	if err != nil {
		return nil, fmt.Errorf("target: tls: ca: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("target: tls: ca: the file has no certificate in PEM")
	}
	return config, nil
}
