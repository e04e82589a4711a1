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

// ErrNoChromium says that there is no Chromium on this machine.
var ErrNoChromium = errors.New("there is no Chromium here: `make browser` installs it")

// Find returns the path of the Chromium that is used, or ErrNoChromium.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoChromium
}

// A chromium is a browser that is started when it is needed.
type chromium struct {
	// within is the command that it is started with, to run in a network of its own.
	within []string

	mu     sync.Mutex
	ctx    context.Context // nil while there is none
	folder string
	cancel func()
}

// shared is the Chromium of this process, for every client without a network of its own.
var shared = &chromium{}

// start returns the Chromium's context, and starts Chromium where it does not run. Its
// devtools are at a pipe, which passes through any network namespace.
//
// chromedp has the kernel kill Chromium when this process dies (Pdeathsig), on Linux.
// Elsewhere Chromium ends by itself when the pipe to this process is closed. Its temporary
// folder stays then.
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
	allocator, end := chromedp.NewExecAllocator(context.Background(), Flags(program, folder)...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.ctx, b.folder, b.cancel = ctx, folder, func() { cancel(); end() }
	late := time.AfterFunc(loadBound, cancel) // the context lives as long as Chromium, so it can have no bound
	err = chromedp.Do(ctx)
	if !late.Stop() && err == nil {
		err = fmt.Errorf("it was not there within %s", loadBound)
	}
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the browser does not start: %w", err)
	}
	return ctx, nil
}

// Flags are what Chromium is started with, in a folder that has all that it writes.
func Flags(program, folder string) []chromedp.ExecAllocatorOption {
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(folder, "profile")),
		chromedp.Env("TMPDIR="+folder, "HOME="+folder),
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// A page that is left is to be gone, and one that is gone back to is to be loaded.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,BackForwardCache"))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // root can have none
	}
	return flags
}

// wrapper writes a program that becomes the command, with its own arguments added. It
// keeps its process number, so that the kernel still kills Chromium with this process.
func wrapper(folder string, command []string) (string, error) {
	path := filepath.Join(folder, "chromium")
	return path, os.WriteFile(path, []byte("#!/bin/sh\nexec "+strings.Join(command, " ")+" \"$@\"\n"), 0o700)
}

// Shutdown closes the shared Chromium, if it runs, and removes what it has written. A
// client that is used later starts it again.
func Shutdown() error { return shared.shutdown() }

func (b *chromium) shutdown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop()
}

// stop ends Chromium: by asking, and then by force. The caller has the lock.
func (b *chromium) stop() error {
	if b.ctx == nil {
		return nil
	}
	asking, cancel := context.WithTimeout(b.ctx, actBound)
	_ = chromedp.Cancel(asking) // it fails where Chromium is gone already
	cancel()
	b.cancel()
	b.ctx = nil
	return os.RemoveAll(b.folder)
}

// A Profile is what the tabs of one person's browser share: cookies and storage.
type Profile struct {
	in *chromium

	mu     sync.Mutex
	parent context.Context
	id     cdp.BrowserContextID
}

// NewProfile makes an empty one, which takes nothing from Chromium until a tab is opened.
func NewProfile() *Profile { return &Profile{in: shared} }

// within is an empty profile in a Chromium of its own, which is started with the command
// and ends with the profile.
func within(command []string) *Profile { return &Profile{in: &chromium{within: command}} }

// tab makes the context of a new tab. The first chromedp command with it opens the tab.
func (p *Profile) tab(listen func(any)) (context.Context, context.CancelFunc, error) {
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

// Close closes all tabs of the profile and forgets what it has stored.
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

// longestTemp is how long the folder for temporary files can be: Chromium makes a socket in
// it, whose path has at most 107 bytes on Linux and 103 on macOS.
const longestTemp = 48

// shortTemp is the folder for temporary files, or /tmp where its path is too long.
func shortTemp() string {
	if folder := os.TempDir(); len(folder) <= longestTemp {
		return folder
	}
	return "/tmp"
}
