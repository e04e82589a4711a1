package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// ErrNoChromium is returned if no Chromium is installed.
var ErrNoChromium = errors.New("there is no Chromium here: `make browser` installs it")

// Find returns the path of the installed Chromium, or ErrNoChromium.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoChromium
}

// A chromium is a browser that is started when the first tab opens.
type chromium struct {
	// within is the command in front of its own that runs it in a separate network.
	within []string
	// page is the address of the page that is a secure context there although it is not on loopback.
	page string

	mu     sync.Mutex
	ctx    context.Context // nil while it does not run
	folder string
	cancel func()
}

// shared is the Chromium of this process, for every client without a separate network.
var shared = &chromium{}

// start returns the Chromium's context, and starts Chromium if it does not run. chromedp talks to
// it over a pipe, which works from any network namespace.
//
// On Linux, chromedp has the kernel kill Chromium when this process dies (Pdeathsig). On other
// systems, Chromium ends when its pipe to this process is closed. Its temporary folder stays in
// both cases.
func (b *chromium) start() (context.Context, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx != nil && b.ctx.Err() == nil {
		return b.ctx, nil
	}
	b.stop()
	program, err := Find()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(shortTemp(), "redial-chromium-")
	if err != nil {
		return nil, err
	}
	if len(b.within) > 0 {
		if program, err = wrapper(folder, append(slices.Clone(b.within), program)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), flags(program, folder, b.page)...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.ctx, b.folder, b.cancel = ctx, folder, func() { cancel(); end() }
	late := time.AfterFunc(loadBound, cancel) // ctx itself must not have a deadline: Chromium ends with it
	err = chromedp.Do(ctx)
	if !late.Stop() && err == nil {
		err = fmt.Errorf("it did not answer within %s", loadBound)
	}
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the browser does not start: %w", err)
	}
	return ctx, nil
}

// flags are Chromium's options. It writes all its files to the folder.
func flags(program, folder, page string) []chromedp.ExecAllocatorOption {
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(folder, "profile")),
		chromedp.Env("TMPDIR="+folder, "HOME="+folder),
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Without the cache, a page that was left has ended.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,BackForwardCache"))
	if page != "" {
		flags = append(flags, chromedp.Flag("unsafely-treat-insecure-origin-as-secure", page))
	}
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // Chromium refuses to run as root with a sandbox
	}
	return flags
}

// wrapper writes a script that runs the command with the script's arguments. It uses exec, so that
// the process id stays the same and the kernel kills Chromium with this process.
func wrapper(folder string, command []string) (string, error) {
	path := filepath.Join(folder, "chromium")
	return path, os.WriteFile(path, []byte("#!/bin/sh\nexec "+strings.Join(command, " ")+" \"$@\"\n"), 0o700)
}

// Shutdown closes the shared Chromium, if it runs, and removes its files. A later client starts it
// again.
func Shutdown() error { return shared.shutdown() }

func (b *chromium) shutdown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop()
}

// stop asks Chromium to end and then kills it. The caller holds the lock.
func (b *chromium) stop() error {
	if b.ctx == nil {
		return nil
	}
	asking, cancel := context.WithTimeout(b.ctx, actBound)
	_ = chromedp.Cancel(asking) // fails if Chromium has ended already
	cancel()
	b.cancel()
	b.ctx = nil
	return os.RemoveAll(b.folder)
}

// A Profile has the cookies and the storage that the tabs of one user's browser share.
type Profile struct {
	in *chromium

	mu     sync.Mutex
	parent context.Context
	id     cdp.BrowserContextID
}

// NewProfile makes an empty profile. Chromium creates it when the first tab is opened.
func NewProfile() *Profile { return &Profile{in: shared} }

// within makes an empty profile in a separate Chromium, which is started with the command in front
// and ends with the profile. The page has what a page on loopback has, such as crypto.randomUUID.
func within(command []string, page string) *Profile {
	return &Profile{in: &chromium{within: command, page: page}}
}

// Tab makes the context of a new tab, whose events it passes to listen. The first chromedp command with
// the context opens the tab.
func (p *Profile) Tab(listen func(any)) (context.Context, context.CancelFunc, error) {
	parent, err := p.in.start()
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parent != parent {
		bounded, cancel := context.WithTimeout(parent, actBound)
		defer cancel()
		made, err := chromedp.CallBrowser(bounded, target.CreateBrowserContext, target.CreateBrowserContextParams{})
		if err != nil {
			return nil, nil, fmt.Errorf("the browser makes no profile: %w", err)
		}
		p.parent, p.id = parent, made.BrowserContextID
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithExistingBrowserContext(p.id), chromedp.WithListener(listen))
	return ctx, cancel, nil
}

// Close closes all tabs of the profile and deletes its data.
func (p *Profile) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in != shared {
		return p.in.shutdown()
	}
	if p.parent == nil || p.parent.Err() != nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(p.parent, actBound)
	defer cancel()
	_, err := chromedp.CallBrowser(bounded, target.DisposeBrowserContext, target.DisposeBrowserContextParams{BrowserContextID: p.id})
	p.parent = nil
	return err
}

// longestTemp bounds the path of the folder for temporary files, in which Chromium makes a socket
// whose path has at most 107 bytes on Linux and 103 on macOS.
const longestTemp = 48

// shortTemp is the folder for temporary files, or /tmp if its path is too long.
func shortTemp() string {
	if folder := os.TempDir(); len(folder) <= longestTemp {
		return folder
	}
	return "/tmp"
}
