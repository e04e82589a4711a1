package doctor

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Hints are guesses about the page's protocol, from a search in the text of its scripts.
type Hints struct {
	Paths, Namespaces []string
	Emits             []Emit
	// AuthOffset is the field of the auth payload that looks like an offset.
	AuthOffset string
	// NoPage is set if GET / has no response.
	NoPage bool
	// Form is the guessed use of the page; nil if there is no guess.
	Form *Form
	// Body is the class that a script probably sets on the text of a message.
	Body string
	// Typing is set if a script probably sets the class typing on an element of the list.
	Typing bool
}

// An Emit is a call of socket.emit: the event, and the source text of its arguments.
type Emit struct{ Event, Args string }

const mostScripts = 10

const quoted = "[\"'`]([^\"'`\n]{1,100})[\"'`]"

var (
	scriptTag  = regexp.MustCompile(`(?is)<script\b([^>]*)>(.*?)</script>`)
	sourceOf   = regexp.MustCompile(`(?i)\bsrc\s*=\s*["']?([^"'\s>]+)`)
	ioCall     = regexp.MustCompile(`\bio(?:\.connect)?\s*\(\s*` + quoted)
	pathOption = regexp.MustCompile(`\bpath["']?\s*:\s*` + quoted)
	emitCall   = regexp.MustCompile(`\.(?:emit|emitWithAck)\s*\(\s*` + quoted + `\s*,?\s*([^;\n]{0,200})`)
	bodyClass  = regexp.MustCompile(`(?i)class(?:Name)?\s*=\s*\\?["']((?:mess|msg|chat)[\w-]*(?:body|text|content))\b`)
	typingNote = regexp.MustCompile("(?i)class[^;\n]*[\"'`. ]typing\\b")
	authOffset = regexp.MustCompile(`(?s)\bauth["']?\s*:\s*\{[^}]{0,200}?\b(\w*(?:[oO]ffset|[sS]ince|[lL]ast|[cC]ursor)\w*)\s*[:,}]`)
)

// reserved lists the library's own events, which applications cannot emit.
var reserved = []string{"connect", "connect_error", "connecting", "connection", "disconnect", "disconnecting", "error", "reconnect", "reconnect_attempt", "reconnect_error", "reconnect_failed", "open", "close", "packet", "ping", "pong", "data", "drain", "upgrade", "decoded", "newListener", "removeListener"}

// readPage reads the page at / and its scripts from the same origin.
func readPage(ctx context.Context, address string) (h Hints) {
	_, page, err := get(ctx, nil, address+"/", nil)
	if err != nil {
		h.NoPage = true // an application may serve its page elsewhere
		return h
	}
	h.Form = readForm(page)
	base, err := url.Parse(address + "/")
	if err != nil {
		return h
	}
	for _, tag := range scriptTag.FindAllStringSubmatch(page, mostScripts) {
		source := sourceOf.FindStringSubmatch(tag[1])
		if source == nil {
			h.read(tag[2])
			continue
		}
		at, err := base.Parse(source[1])
		if err != nil {
			continue
		}
		if folder, ok := strings.CutSuffix(strings.TrimSuffix(strings.TrimSuffix(at.Path, ".js"), ".min"), "socket.io"); ok && at.Host == base.Host {
			add(&h.Paths, folder)
		} else if at.Host == base.Host {
			if _, script, err := get(ctx, nil, at.String(), nil); err == nil {
				h.read(script)
			}
		}
	}
	if h.Form != nil && h.Body != "" { // otherwise a name beside the text would become part of the message
		list, _, _ := strings.Cut(h.Form.Messages, " ")
		if h.Typing { // a typing notice looks like a message
			list += " > :not(.typing)"
		}
		h.Form.Messages = list + " ." + h.Body
	}
	return h
}

func (h *Hints) read(script string) {
	for _, call := range ioCall.FindAllStringSubmatch(script, -1) {
		if at, err := url.Parse(call[1]); err == nil && strings.HasPrefix(at.Path, "/") && at.Path != "/" {
			add(&h.Namespaces, at.Path)
		}
	}
	if strings.Contains(script, "io(") || strings.Contains(script, "io.connect(") {
		for _, option := range pathOption.FindAllStringSubmatch(script, -1) {
			if strings.HasPrefix(option[1], "/") {
				add(&h.Paths, option[1])
			}
		}
	}
	for _, call := range emitCall.FindAllStringSubmatch(script, -1) {
		known := slices.ContainsFunc(h.Emits, func(e Emit) bool { return e.Event == call[1] })
		if !known && !slices.Contains(reserved, call[1]) {
			h.Emits = append(h.Emits, Emit{call[1], call[2]})
		}
	}
	if class := bodyClass.FindStringSubmatch(script); class != nil && h.Body == "" {
		h.Body = class[1]
	}
	h.Typing = h.Typing || typingNote.MatchString(script)
	if field := authOffset.FindStringSubmatch(script); field != nil && h.AuthOffset == "" {
		h.AuthOffset = field[1]
	}
}

func add(list *[]string, one string) {
	if !slices.Contains(*list, one) {
		*list = append(*list, one)
	}
}
