// Package config reads a redial.yaml, which describes how to start or reach an application
// and how it uses Socket.IO, and makes a server under test of it.
//
// Read [File] first: its fields are the keys of the file. [Read] reads a file, [File.Server]
// makes the server that package runner plays scenarios on, and [Explain] returns the help for
// a key, from the descriptions in the fields' tags.
//
// config plays and judges nothing.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"redial/harness/client/browser"
	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/scenarios/internal/strict"
)

// FileName is the file that is read if no other file is given.
const FileName = "redial.yaml"

// A File is a redial.yaml.
type File struct {
	Name   string         `yaml:"name" json:"name,omitempty" jsonschema_description:"What the application is called in reports (default: its command or url)"`
	Target Target         `yaml:"target" json:"target" jsonschema_description:"The application: how to start it or where it runs"`
	Level  contract.Level `yaml:"level" json:"level,omitempty" jsonschema_description:"The promise that it is held to (default server-delivery)"`
	Socket *Socket        `yaml:"socket" json:"socket,omitempty" jsonschema_description:"How the application speaks Socket.IO (default: as the tutorial's chat does)"`
	Page   *Page          `yaml:"page" json:"page,omitempty" jsonschema_description:"How a person uses the application's own page, which is then the client, in Chromium; where there is a section socket as well, only with --own-page"`
	Log    *Log           `yaml:"log" json:"log,omitempty" jsonschema_description:"Where the messages that the server stored can be read; without it a fresh client reads them"`

	// OwnPage makes the application's own page the client even if there is a section socket.
	OwnPage bool `yaml:"-" json:"-"`

	// name is the file's path, and folder the base of relative paths in the file.
	name, folder string
	document     ast.Node
}

// Target is the application: a command or a URL.
type Target struct {
	Command     Command           `yaml:"command" json:"command,omitempty" jsonschema_description:"The command that starts it: a line or a list. It finds the port in PORT and an empty folder in DATA_DIR, and {{port}} and {{data}} in it are replaced by them"`
	Dir         string            `yaml:"dir" json:"dir,omitempty" jsonschema_description:"The folder to run the command in (default: the folder of this file)"`
	Env         map[string]string `yaml:"env" json:"env,omitempty" jsonschema_description:"Environment variables; {{port}} and {{data}} are the port and the data folder"`
	Port        int               `yaml:"port" json:"port,omitempty" jsonschema:"minimum=1,maximum=65535" jsonschema_description:"The port that it listens on if it ignores PORT"`
	Isolated    bool              `yaml:"isolated" json:"isolated,omitempty" jsonschema_description:"Whether two of it with different PORT and DATA_DIR share nothing: then runs go on side by side and take a fraction of the time"`
	Ready       string            `yaml:"ready" json:"ready,omitempty" jsonschema_description:"When it is ready: GET /path; port (it accepts connections); or line TEXT (it has printed the text). Default: GET /"`
	ReadyWithin *plan.Duration    `yaml:"readyWithin" json:"readyWithin,omitempty" jsonschema_description:"How long a start may take until it is ready, from 1s to 10m (default 20s)"`
	URL         string            `yaml:"url" json:"url,omitempty" jsonschema_description:"The address of a server that runs already instead of a command"`
	TLS         *TLS              `yaml:"tls" json:"tls,omitempty" jsonschema_description:"How to trust the certificate of an https address"`
}

// longestStart bounds readyWithin: a run starts a server a few times, and waits for each.
const longestStart = 10 * time.Minute

// startBound is readyWithin; zero means the default.
func (t Target) startBound() time.Duration {
	if t.ReadyWithin == nil {
		return 0
	}
	return time.Duration(*t.ReadyWithin)
}

// TLS says how the certificate of an https URL is trusted.
type TLS struct {
	CA       string `yaml:"ca" json:"ca,omitempty" jsonschema_description:"A file with the certificate of the authority (PEM)"`
	Insecure bool   `yaml:"insecure" json:"insecure,omitempty" jsonschema_description:"Accept any certificate"`
}

// Socket is protocol.Protocol with the defaults that a person expects: echo and ack are true
// unless the file says otherwise, where the fields NoEcho and NoAck are false.
type Socket struct {
	protocol.Protocol `yaml:",inline"`

	Send *Send `yaml:"send" json:"send,omitempty" jsonschema_description:"How a client sends a message; leave it out where the server emits messages by itself"`
	Echo *bool `yaml:"echo" json:"echo,omitempty" jsonschema_description:"Whether the sender receives its own message (default true)"`
}

// Send is protocol.Send with ack in place of NoAck.
type Send struct {
	protocol.Send `yaml:",inline"`

	Ack *bool `yaml:"ack" json:"ack,omitempty" jsonschema_description:"Whether the server acknowledges messages (default true)"`
}

// Page is browser.Spec, and whether the sender receives its own message.
type Page struct {
	browser.Spec `yaml:",inline"`

	Echo *bool `yaml:"echo" json:"echo,omitempty" jsonschema_description:"Whether a message is shown to its sender when it comes back from the server, and not at once (default true)"`
}

// Log says where the stored messages can be read.
type Log struct {
	SQL      string            `yaml:"sql" json:"sql,omitempty" jsonschema_description:"A query for the offset and the text of each message in order"`
	File     string            `yaml:"file" json:"file,omitempty" jsonschema_description:"The SQLite database; {{data}} is the data folder"`
	Postgres string            `yaml:"postgres" json:"postgres,omitempty" jsonschema_description:"The PostgreSQL database's URL instead of a file"`
	URL      string            `yaml:"url" json:"url,omitempty" jsonschema_description:"An HTTP address or a path of the application that answers with JSON instead of a database"`
	Headers  map[string]string `yaml:"headers" json:"headers,omitempty" jsonschema_description:"HTTP headers of the request for url, such as Authorization"`
	List     protocol.Path     `yaml:"list" json:"list,omitempty" jsonschema_description:"Where in the JSON the list of messages is (default $)"`
	Text     protocol.Path     `yaml:"text" json:"text,omitempty" jsonschema_description:"Where in an item the text is (default $)"`
	Offset   protocol.Path     `yaml:"offset" json:"offset,omitempty" jsonschema_description:"Where in an item the offset is (default: items have none)"`
}

// A Command is a program and its arguments. A single line is given to the shell.
type Command []string

const shell = "/bin/sh"

// UnmarshalYAML accepts a string or a list.
func (c *Command) UnmarshalYAML(read func(any) error) error {
	var list []string
	if err := read(&list); err == nil {
		*c = list
		return nil
	}
	var line string
	if err := read(&line); err != nil {
		return err
	}
	if line != "" {
		*c = Command{shell, "-c", line}
	}
	return nil
}

// Read reads a file. An error is one line with the file's name and the line number.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	f, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.name = path
	f.folder, err = filepath.Abs(filepath.Dir(path))
	return f, err
}

// Parse parses the text of a file; relative paths in it are relative to the current folder.
func Parse(text []byte) (*File, error) {
	document, err := strict.Parse(text)
	if err != nil {
		return nil, err
	}
	environment := &environment{}
	ast.Walk(environment, document)
	if environment.wrong != nil {
		return nil, environment.wrong
	}
	f := File{document: document}
	if err := strict.Decode(document, &f); err != nil {
		return nil, err
	}
	if err := f.validate(); err != nil {
		return nil, err
	}
	return &f, nil
}

// environment replaces ${NAME} in every string by the value of the environment variable. In a command
// ${PORT} and ${DATA_DIR} are those of the program, which has no shell if the command is a list.
type environment struct{ wrong error }

// variable matches only a name in braces, because $ and $2 begin a path.
var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func (e *environment) Visit(node ast.Node) ast.Visitor {
	text, ok := node.(*ast.StringNode)
	if !ok || e.wrong != nil {
		return e
	}
	text.Value = variable.ReplaceAllStringFunc(text.Value, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		if ofProgram := map[string]string{contract.EnvPort: "{{port}}", contract.EnvDataDir: "{{data}}"}[name]; ofProgram != "" && strings.HasPrefix(text.GetPath(), "$.target.command") {
			return ofProgram
		}
		value, set := os.LookupEnv(name)
		if !set && e.wrong == nil {
			e.wrong = fmt.Errorf("line %d: the environment variable %s is not set", text.Token.Position.Line, name)
		}
		return value
	})
	return e
}

// validate reports, in one line, the first missing or contradictory key.
func (f *File) validate() error {
	var wrong []string
	is := func(bad bool, text string) {
		if bad {
			wrong = append(wrong, text)
		}
	}
	t := f.Target
	is((len(t.Command) == 0) == (t.URL == ""), "target: it needs either a command or a url")
	is(t.URL != "" && (t.Dir != "" || len(t.Env) > 0 || t.Port != 0 || t.Ready != "" || t.ReadyWithin != nil), "target: dir, env, port, ready and readyWithin are for a command, and a url was given")
	is(t.ReadyWithin != nil && (t.startBound() < time.Second || t.startBound() > longestStart), "target: readyWithin: a start may take from 1s to 10m")
	is(t.Isolated && (t.URL != "" || t.Port != 0), "target: isolated: runs share a url, and a port of its own")
	is(t.TLS != nil && !strings.HasPrefix(t.URL, "https://"), "target: tls is for an https url")
	is(t.Port < 0 || t.Port > 65535, "target: port: a port is a number from 1 to 65535")
	if _, err := ready(t.Ready); err != nil {
		wrong = append(wrong, "target: ready: "+err.Error())
	}
	if _, err := contract.ParseLevel(string(f.Level)); f.Level != "" && err != nil {
		wrong = append(wrong, "level: "+err.Error())
	}
	if l := f.Log; l != nil {
		is(l.SQL == "" && l.URL == "", "log: it needs sql or url")
		is(len(l.Headers) > 0 && l.URL == "", "log: headers are for url")
		is(l.SQL != "" && (l.File == "") == (l.Postgres == ""), "log: sql needs either file or postgres")
		is(strings.Contains(l.File, "{{data}}") && t.URL != "", "log: file: a server at a url has no {{data}} folder of ours")
	}
	if f.Page != nil {
		if err := f.Page.Validate(); err != nil {
			wrong = append(wrong, "page: "+strings.ReplaceAll(err.Error(), "\n", "; page: "))
		}
	}
	is(f.OwnPage && f.Page == nil, "page is missing: how a person uses the application's own page")
	if f.Socket != nil {
		p := f.protocol()
		if file := string(p.Parser); strings.ContainsAny(file, "./") {
			is(true, fmt.Sprintf("socket: parser: the kit's clients are written in Go and cannot run the parser in %s: leave socket out and describe the application's own page in page, where the parser runs", file))
			p.Parser = ""
		}
		if err := p.Validate(); err != nil {
			wrong = append(wrong, "socket: "+strings.ReplaceAll(err.Error(), "\n", "; socket: "))
		}
		is(p.Send == nil && f.level().AtLeast(contract.ClientDelivery), "socket: send is missing: level "+string(f.level())+" is about what clients send")
		is(p.Send != nil && p.Send.NoAck && f.level().AtLeast(contract.ClientDelivery), "socket: send: ack: level "+string(f.level())+" needs acknowledgements")
		is(p.Send != nil && !p.SendsKeys() && f.level().AtLeast(contract.ClientDelivery), "socket: send: args: level "+string(f.level())+" needs a {{key}} in them, for the server to know a message again")
	}
	for i, text := range wrong {
		wrong[i] = strict.Locate(f.document, text)
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

func (f *File) level() contract.Level { return cmp.Or(f.Level, contract.ServerDelivery) }

// protocol converts the section socket to the harness's type; it is nil if the section is
// missing.
func (f *File) protocol() *protocol.Protocol {
	if f.Socket == nil {
		return nil
	}
	p := f.Socket.Protocol
	p.NoEcho = f.Socket.Echo != nil && !*f.Socket.Echo
	if f.Socket.Send != nil {
		send := f.Socket.Send.Send
		send.NoAck = f.Socket.Send.Ack != nil && !*f.Socket.Send.Ack
		p.Send = &send
	}
	return &p
}
