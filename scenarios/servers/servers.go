// Package servers makes the servers under test: the kit's steps, the tutorial's code as
// published, servers with a deliberate defect, and any other server by its command or URL.
//
// Read [Server] first. For the real lab a step runs as a process (the harness starts its own
// executable again, see [BecomeStep]), and for the virtual lab inside this process.
//
// servers imports package catalogue for its names, and plays and judges nothing.
package servers

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/inprocess"
	"redial/steps/lessons"
)

// A Server is a server under test, and the promise that it makes.
type Server struct {
	// Name is the heading of the server's column: "step 7", or the command or URL.
	Name string
	// Step is the number of the kit's step; empty for any other server.
	Step string
	// Server makes the server for a run, in each lab that supports it.
	Server lab.Server
	// Config are the lab's settings for its runs; see ConfigOf. Level is the promise that the
	// server claims. HTML is the kit's reference page, for a third-party server. NewPage and
	// NoEcho are for an application with its own page as the client. Runs that are Shared take
	// turns. ShownBound is short for a server that loses messages by design, since a longer wait
	// for them is useless.
	lab.Config
	// Command or URL is how to reach a server that is not part of the kit.
	Command []string
	URL     string
	// File is the path of the redial.yaml that describes the server, if any.
	File string
	// Trims is set if white space at the ends of a text on its own page may be its template's.
	Trims bool
	// Pairwise is set if a user of that page writes to one other user.
	Pairwise bool
	// OwnPage is set if the user asked for the page although the file also has a protocol.
	OwnPage bool
	// Nodes are the names of the servers, if there are several.
	Nodes []string
	// Untuned is set if the server ignores the heartbeat of a plan.
	Untuned bool
	// Heartbeat is the time in which such a server detects a dead connection; zero if the time
	// is unknown or can be set.
	Heartbeat time.Duration
	// CameUp is set after a start that succeeded: one that fails later says nothing about the
	// runs after it.
	CameUp bool
}

// StartWithin is how long a start may take.
func (s Server) StartWithin() time.Duration { return cmp.Or(s.StartBound, lab.DefaultBound) }

// ConfigOf returns the lab's settings for runs on the server, with those that follow from others.
func ConfigOf(s Server) lab.Config {
	// If clients send nothing, or only to one other client, a new client cannot read the log.
	readable := s.ReadLog != nil || s.Protocol == nil && s.NewPage == nil || s.Protocol != nil && s.Protocol.Send != nil && !s.Protocol.Pairwise()
	s.KeepsLog = s.Level.AtLeast(contract.ServerDelivery) && readable
	s.Keys = s.Level.AtLeast(contract.ClientDelivery)
	s.ReadsFirst = s.Shared && readable
	return s.Config
}

// Asked is the heartbeat that a server is started with to find out whether it can be set: no
// application's default, and so long that no connection ends by it on a busy machine.
var Asked = plan.Tuning{PingInterval: plan.Duration(5 * time.Second), PingTimeout: plan.Duration(4 * time.Second)}

// ServeStep is the argument that makes a program with [BecomeStep] serve a step of the kit.
const ServeStep = "serve-step"

// BecomeStep turns this process into a step of the kit if the process was started as one, and
// then never returns. A main function (or TestMain) calls it first: the harness starts its own
// executable again as the server, so a step is a separate process without another program to
// build or find.
func BecomeStep() {
	if len(os.Args) != 3 || os.Args[1] != ServeStep {
		return
	}
	server := others[os.Args[2]]
	if name, broken := strings.CutPrefix(os.Args[2], brokenPrefix); broken {
		d, err := defect.Find(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		server = d.New
	}
	if server == nil {
		os.Exit(lessons.Main(os.Args[2:]))
	}
	fmt.Fprintln(os.Stderr, serve(server))
	os.Exit(1)
}

// MatrixSteps are the columns of the matrix.
var MatrixSteps = []string{"3", "4", "5", "6", "7", "8", catalogue.OnFile, "10"}

// Step returns a step of the kit at the level that it promises; or published-6, published-7
// or published-8, the tutorial's code as published.
func Step(number string) (Server, error) {
	if inprocess.Recoveries[number] != nil {
		return published(number)
	}
	switch number {
	case "published-7", "published-8":
		return published(number)
	case catalogue.Features, catalogue.FeaturesPublished:
		return featuresStep(number)
	case catalogue.OnFile, catalogue.OnPostgres:
		return clusterStep(number)
	}
	lesson, err := lessons.Find(number)
	if err != nil {
		return Server{}, err
	}
	level, ok := inprocess.Levels[lesson.Number]
	if !ok {
		return Server{}, fmt.Errorf("step %s cannot be checked: it has no chat, or shows it in another way; there are %s", number, strings.Join(MatrixSteps, ", "))
	}
	s := Server{
		Name: "step " + lesson.Number, Step: lesson.Number,
		Config: lab.Config{Level: level, Bundle: lessons.FetchBundle, OwnRecovery: true},
		Server: lab.Server{Handler: inprocess.Lesson(lesson), Target: itsProcess(lesson.Number, "step "+lesson.Number)},
	}
	if lesson.Number == "3" || lesson.Number == "4" {
		s.ShownBound = 500 * time.Millisecond // they send messages to no other client
	}
	return s, nil
}

// itsProcess returns a target that runs this program as the named server.
func itsProcess(server, name string) func(plan.Tuning) (target.Target, error) {
	return func(tuning plan.Tuning) (target.Target, error) {
		command, err := itself(server, name, tuning)
		if err != nil {
			return nil, err
		}
		return target.NewCommand(command)
	}
}

func itself(server, name string, tuning plan.Tuning) (target.CommandOptions, error) {
	program, err := os.Executable()
	if err != nil {
		return target.CommandOptions{}, fmt.Errorf("finding this program, to start %s as a process: %w", name, err)
	}
	return target.CommandOptions{Command: []string{program, ServeStep, server}, Name: name, Tuning: tuning}, nil
}

// published returns the tutorial's code as published, or another server at level recovery.
// It is for the virtual lab.
func published(name string) (Server, error) {
	its, err := inprocess.Find(name)
	if err != nil {
		return Server{}, err
	}
	s, err := foreign(name, its.Level)
	s.Server.Handler, s.HTML, s.OwnRecovery = its.Handler, its.HTML, its.OwnRecovery
	return s, err
}

// others maps the names of servers that are neither steps nor broken to their constructors.
var others = map[string]defect.New{
	catalogue.Features: defect.Features, catalogue.FeaturesPublished: defect.FeaturesPublished, rightTogether: defect.RightTogether,
}

// featuresStep returns a chat with features that applications use and no step has, on package
// recovery or on the library's own adapter. Only the rows about these features use it.
func featuresStep(name string) (Server, error) {
	s, err := foreign(name, contract.Recovery)
	if err != nil {
		return s, err
	}
	s.Step = name
	s.Server.Handler = inprocess.Defect(others[name])
	s.OwnRecovery = name == catalogue.Features
	s.Server.Target = itsProcess(name, name)
	return s, nil
}

// serve serves in this process until the process is killed.
func serve(server defect.New) error {
	handler, closer, err := server(os.Getenv(contract.EnvDataDir), inprocess.Remembering(inprocess.Tuned(socket.DefaultServerOptions(), asked()), time.Duration(asked().MaxDisconnection)))
	if err != nil {
		return err
	}
	defer closer.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv(contract.EnvPort))
	if err != nil {
		return err
	}
	return http.Serve(listener, handler)
}

// Command returns a server that is a program, started again for every run. The Tuning in the
// options is replaced by the plan's.
func Command(options target.CommandOptions, level contract.Level) (Server, error) {
	s, err := foreign(strings.Join(strings.Fields(strings.Join(options.Command, " ")), " "), level)
	s.Command = options.Command
	s.Name = "-- " + s.Name
	// A program may store data outside DATA_DIR, so its log is also read before each run.
	s.Shared = true
	s.Server.Target = func(tuning plan.Tuning) (target.Target, error) {
		its := options // runs in parallel must not share the options
		its.Tuning = tuning
		return target.NewCommand(its)
	}
	return s, err
}

// CommandLine joins the words as a shell takes them, for a command that is printed to be copied.
func CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; word == "" || strings.IndexFunc(word, special) >= 0 {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// special tells whether a shell may give the character a meaning of its own.
func special(r rune) bool {
	return r <= unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("%+,-./:=@_", r)
}

// URL returns a server that runs elsewhere. For https, secure contains the trusted
// certificates; nil selects the system's.
func URL(address string, secure *tls.Config, level contract.Level) (Server, error) {
	u, err := target.NewURL(address, secure)
	if err != nil {
		return Server{}, err
	}
	_ = u.Close()
	s, err := foreign(address, level)
	s.Name = "--url " + s.Name
	s.Shared, s.URL = true, address
	s.Server.Target = func(plan.Tuning) (target.Target, error) { return target.NewURL(address, secure) }
	return s, err
}

// InProcess returns a user's server in this process, for the virtual lab.
func InProcess(name string, level contract.Level, server lab.Handler) (Server, error) {
	s, err := foreign(name, level)
	s.Server, s.Untuned = lab.InProcess(server), true
	return s, err
}

// foreign returns a third-party server with the reference page of the level that it claims,
// which is the page of the step that introduces the level.
func foreign(name string, level contract.Level) (Server, error) {
	s := Server{Name: name, Config: lab.Config{Level: level, Bundle: lessons.FetchBundle}}
	return s, s.pageOf(level)
}

// KeepsOffset gives the server a page that keeps the offset of the last message, whatever
// the server's level. A server that numbers its messages may rely on this offset, and replay
// everything to a page without one.
func (s *Server) KeepsOffset() error {
	if s.Level.AtLeast(contract.ServerDelivery) {
		return nil
	}
	return s.pageOf(contract.ServerDelivery)
}

func (s *Server) pageOf(level contract.Level) (err error) {
	s.HTML, err = inprocess.Page(level)
	return err
}
