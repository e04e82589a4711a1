// Package page is the client that runs the target's own page in a JavaScript VM with the
// parts of a browser that it needs.
//
// Read [Page] first, then view.go, one load of the page, and package web, the VM and its
// browser. speak.js translates between such a page and another application's events. The
// package must not know faults or the lab.
package page

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"sync"

	"redial/harness/client"
	"redial/harness/client/internal/views"
	"redial/harness/client/page/web"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/internal/words"
)

const (
	// largestPage and largestScript bound the files that a target may send for a page.
	largestPage   = 1 << 20
	largestScript = 8 << 20
)

// A Page is a client that runs the target's own page: its HTML, its unchanged script and the
// client library, in a JavaScript VM with the parts of a browser that they need (package web).
// It records as Shown the messages that a user would see.
//
// The client library is the one that the target serves at contract.ClientPath, or else
// Options.Bundle: if it serves none, or one before 4.6 for a page of the kit's that retries. Other
// scripts come from the target only.
//
// With Options.Protocol the page is one of the kit's, and speak.js translates between its events
// and those of the application.
type Page struct {
	options client.Options
	profile *Profile
	loads   *views.Loads

	mu      sync.Mutex
	view    *view
	views   int
	session *web.Storage
}

// New makes a closed page client. It shares the profile with other tabs; nil means a new one.
func New(options client.Options, profile *Profile) *Page {
	if profile == nil {
		profile = NewProfile()
	}
	return &Page{options: options, profile: profile, loads: views.NewLoads()}
}

// A Profile has what the tabs of one browser share: localStorage, locks and cookies.
type Profile struct {
	local   *web.Storage
	locks   *web.Locks
	cookies http.CookieJar
}

// NewProfile makes an empty profile.
func NewProfile() *Profile {
	cookies, _ := cookiejar.New(nil) // can fail only with options
	return &Profile{local: web.NewStorage(), locks: web.NewLocks(), cookies: cookies}
}

// Open loads the page in a new tab. See client.Client.
func (p *Page) Open(ctx context.Context) error {
	return p.load(ctx, func(old *view) error {
		if old != nil {
			return client.ErrOpen
		}
		p.session = web.NewStorage()
		return nil
	})
}

// Refresh leaves the view and loads the page again. localStorage, sessionStorage and cookies
// persist. If the target does not answer, the client has no view, as a browser with an error
// page; another Refresh may succeed.
func (p *Page) Refresh(ctx context.Context, left func()) error {
	p.loads.Cancel(client.ErrReloaded)
	return p.load(ctx, func(old *view) error {
		if p.session == nil {
			return client.ErrNotOpen
		}
		p.leave(old, left)
		return nil
	})
}

// load waits for its turn, calls prepare with the current view, and opens the next one.
func (p *Page) load(ctx context.Context, prepare func(old *view) error) error {
	ctx, end, err := p.loads.Begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p.mu.Lock()
	old := p.view
	p.mu.Unlock()
	if err := prepare(old); err != nil {
		return err
	}
	return p.show(ctx)
}

// show opens the next view. The caller holds the turn.
func (p *Page) show(ctx context.Context) error {
	p.mu.Lock()
	number, session := p.views+1, p.session
	p.mu.Unlock()
	v, err := newView(p.options, number, p.profile, session)
	if err != nil {
		return err
	}
	document, err := p.document(ctx, v.window)
	if err != nil {
		v.window.Close(nil)
		return fmt.Errorf("cannot load the page: %w", cmp.Or(context.Cause(ctx), err))
	}
	p.mu.Lock()
	p.views = number
	p.view = v
	p.mu.Unlock()
	v.record(history.Event{Kind: history.Opened})
	err = v.window.Load(ctx, document, func(ctx context.Context, src string) (*web.Script, error) {
		return p.script(ctx, v, src)
	})
	v.window.Loaded()
	if err == nil {
		err = v.check(ctx)
	}
	if err != nil {
		p.leave(v, nil)
		return fmt.Errorf("cannot open the page: %w", cmp.Or(context.Cause(ctx), err))
	}
	v.setLoaded()
	return nil
}

// document returns the page's HTML.
func (p *Page) document(ctx context.Context, window *web.Window) ([]byte, error) {
	if len(p.options.HTML) > 0 {
		return p.options.HTML, nil
	}
	status, body, err := window.Fetch(ctx, "/", largestPage)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET / answers %d", status)
	}
	return body, nil
}

// script fetches a script that the page names. nil means that it must not run.
func (p *Page) script(ctx context.Context, v *view, src string) (*web.Script, error) {
	base := v.window.Location()
	address, err := base.Parse(src)
	if err != nil || address.Scheme != base.Scheme || address.Host != base.Host {
		v.note(fmt.Sprintf("refused the script %s: only scripts from the server itself are run", src))
		return nil, nil
	}
	isClient := address.Path == contract.ClientPath
	if isClient {
		address.Path = clientPath(p.options.Protocol)
	}
	status, body, err := v.window.Fetch(ctx, address.RequestURI(), largestScript)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot load the script %s: %w", src, err)
	case status == http.StatusOK && !(isClient && p.options.Bundle != nil && p.isTooOld(body)):
		return &web.Script{Name: address.Path, Source: body}, nil
	case isClient && p.options.Bundle != nil: // 404, 400 if an engine takes it for a handshake, or an old one
		source, err := p.options.Bundle()
		if err != nil {
			return nil, fmt.Errorf("the server serves at %s no client library that the page can use: %w", address.Path, err)
		}
		return &web.Script{Name: address.Path, Source: source}, nil
	case isClient:
		return nil, fmt.Errorf("GET %s answers %d, and there is no client library to fall back to", address.Path, status)
	}
	v.note(fmt.Sprintf("the script %s was not loaded: the server answers %d", (&url.URL{Path: address.Path}).String(), status))
	return nil, nil
}

// banner is in the first lines of the client library.
var banner = regexp.MustCompile(`Socket\.IO v(\d+)\.(\d+)`)

// isTooOld tells whether the kit's page needs a client library that retries, and this one is
// older than 4.6.0, which was the first to do so (its CHANGELOG).
func (p *Page) isTooOld(library []byte) bool {
	version := banner.FindSubmatch(library[:min(len(library), 300)])
	if !bytes.Contains(p.options.HTML, []byte("retries:")) || version == nil {
		return false
	}
	major, _ := strconv.Atoi(string(version[1]))
	minor, _ := strconv.Atoi(string(version[2]))
	return major < 4 || major == 4 && minor < 6
}

// leave closes a view, if there is one, and calls left, if not nil, after the last event of the
// view is recorded. The caller holds the turn.
func (p *Page) leave(v *view, left func()) {
	if left == nil {
		left = func() {}
	}
	if v == nil {
		left()
		return
	}
	p.mu.Lock()
	p.view = nil
	p.mu.Unlock()
	v.close(left)
}

// Close closes the tab, and cancels an Open or Refresh that still runs.
func (p *Page) Close() error {
	defer p.loads.Close()()
	p.mu.Lock()
	p.session = nil
	v := p.view
	p.mu.Unlock()
	p.leave(v, nil)
	return nil
}

func (p *Page) current() (*view, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.view == nil {
		return nil, client.ErrNotOpen
	}
	return p.view, nil
}

// Send types text and submits the form. It returns when the page has handled the input. If the
// page is not open or cannot take the text, Send returns an error and nothing is sent.
func (p *Page) Send(text string) error {
	v, err := p.current()
	if err == nil {
		err = v.typeAndSubmit(text)
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", words.Quoted(text), err)
	}
	return nil
}

// Disconnect calls socket.disconnect() on the page's sockets.
func (p *Page) Disconnect() error { return p.control("disconnect") }

// Connect calls socket.connect() on the page's sockets.
func (p *Page) Connect() error { return p.control("connect") }

// Throw adds a handler to the page's sockets that throws at the next chat message.
func (p *Page) Throw() error { return p.control("throw") }

func (p *Page) control(what string) error {
	v, err := p.current()
	if err == nil {
		err = v.control(what)
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, err)
	}
	return nil
}

// Suspend closes the lid of the laptop; see client.Client.
func (p *Page) Suspend() error { return p.lid((*web.Window).Suspend) }

// Resume ends Suspend.
func (p *Page) Resume() error { return p.lid((*web.Window).Resume) }

func (p *Page) lid(move func(*web.Window)) error {
	v, err := p.current()
	if err == nil {
		move(v.window)
	}
	return err
}

// Status is a snapshot. See client.Client.
func (p *Page) Status() client.Status {
	p.mu.Lock()
	v, views := p.view, p.views
	p.mu.Unlock()
	status := client.Status{View: views}
	if v != nil {
		v.status(&status)
	}
	return status
}

// Removed has the messages that the page has removed from its list; see client.Removed.
func (p *Page) Removed() (view int, texts []string) {
	p.mu.Lock()
	v := p.view
	p.mu.Unlock()
	if v == nil {
		return 0, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.number, v.shown.Removed()
}
