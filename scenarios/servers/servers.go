// Package servers makes the servers under test: the kit's steps, the tutorial's code as
// published, servers with a deliberate defect, and any other server by its command or URL.
//
// Read [Server] first. For the real lab a step runs as a process (the harness starts its own
// executable again, see [BecomeStep]), and for the virtual lab inside this process.
//
// servers imports package catalogue for its names, and plays and judges nothing.
package servers

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/inprocess"
	"redial/steps/lessons"
)

// A Server is a server to put to the test, and the promise that it makes.
type Server struct {
	// Name heads its column: "step 7", or the command or URL.
	Name string
	// Step is the number of the kit's step that it is; empty for anything else.
	Step string
	// Level is the promise that it claims.
	Level contract.Level
	// Server makes the server for a run, in the labs that it can run in.
	Server lab.Server
	// Command or URL is how the server is reached that is none of the kit's.
	Command []string
	URL     string
	// OwnRecovery is lab.Config's.
	OwnRecovery bool
	// HTML is the kit's reference page, for a target that is not ours; empty means
	// the target's own page.
	HTML []byte
	// Bundle gets the client library for a target that serves none. Nil: there is none.
	Bundle func() ([]byte, error)
	// Shared tells that all runs meet the same server, so they take turns.
	Shared bool
	// Protocol and ReadLog are lab.Config's.
	Protocol *protocol.Protocol
	ReadLog  lab.ReadLog
	// NewPage and NoEcho are lab.Config's, for an application that is used by its own page.
	NewPage lab.NewPage
	NoEcho  bool
	// OwnPage tells that the page was asked for, beside the protocol.
	OwnPage bool
	// RealNetwork is lab.Config's.
	RealNetwork bool
	// Nodes are the names of its servers, where it has several.
	Nodes []string
	// Untuned tells that it keeps its own heartbeat, whatever a plan asks for.
	Untuned bool
	// Heartbeat is how long that server takes to notice that a connection is dead; zero
	// where it is not known or can be set.
	Heartbeat time.Duration
	// Config is the redial.yaml that it comes from, if any.
	Config string
	// ShownBound is lab.Config's: short for a server that shows nothing of what is said, or
	// not all of it, so that waiting long for it is no use. Zero is the lab's own.
	ShownBound time.Duration
}

// ConfigOf is how the server's runs are played.
func ConfigOf(s Server) lab.Config {
	// Where clients send nothing, or to one other client, a fresh client cannot read the log.
	readable := s.ReadLog != nil || s.Protocol == nil && s.NewPage == nil || s.Protocol != nil && s.Protocol.Send != nil && !s.Protocol.Pairwise()
	return lab.Config{
		Level: s.Level, KeepsLog: s.Level.AtLeast(contract.ServerDelivery) && readable, OwnRecovery: s.OwnRecovery,
		Keys: s.Level.AtLeast(contract.ClientDelivery), Shared: s.Shared, HTML: s.HTML, Bundle: s.Bundle,
		ShownBound: s.ShownBound, Protocol: s.Protocol, ReadLog: s.ReadLog,
		NewPage: s.NewPage, NoEcho: s.NoEcho, RealNetwork: s.RealNetwork,
	}
}

// ServeStep is the argument that makes a program that called [BecomeStep] serve
// one of the kit's steps instead.
const ServeStep = "serve-step"

// BecomeStep turns this process into one of the kit's steps when it was started as
// one, and never returns then. A main function (or TestMain) calls it first: the
// harness starts its own executable again as the server, so a step is a process
// of its own without anything to build or find.
func BecomeStep() {
	if len(os.Args) != 3 || os.Args[1] != ServeStep {
		return
	}
	server := features[os.Args[2]]
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

// MatrixSteps are the steps that the matrix has columns for.
var MatrixSteps = []string{"3", "4", "5", "6", "7", "8", catalogue.OnFile, "10"}

// Step makes one of the kit's steps, at the level that it promises; or
// published-6, published-7 and published-8, the code that the tutorial publishes.
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
	itself, err := os.Executable()
	if err != nil {
		return Server{}, fmt.Errorf("finding this program, to start step %s as a process: %w", number, err)
	}
	s := Server{
		Name: "step " + lesson.Number, Step: lesson.Number, Level: level, Bundle: lessons.FetchBundle, OwnRecovery: true,
		Server: lab.Server{Handler: inprocess.Lesson(lesson), Target: itsProcess(itself, lesson.Number, "step "+lesson.Number)},
	}
	if lesson.Number == "3" || lesson.Number == "4" {
		s.ShownBound = 500 * time.Millisecond // they show nothing to others
	}
	return s, nil
}

// itsProcess makes a target of this program, which becomes the server that is named.
func itsProcess(itself, server, name string) func(plan.Tuning) (target.Target, error) {
	return func(tuning plan.Tuning) (target.Target, error) {
		return target.NewCommand(target.CommandOptions{Command: []string{itself, ServeStep, server}, Name: name, Tuning: tuning})
	}
}

// published makes the tutorial's code as published, or another server at
// level recovery. It is for the virtual lab.
func published(name string) (Server, error) {
	its, err := inprocess.Find(name)
	if err != nil {
		return Server{}, err
	}
	s, err := foreign(name, its.Level)
	s.Server.Handler, s.HTML, s.OwnRecovery = its.Handler, its.HTML, its.OwnRecovery
	return s, err
}

// features are the servers by their names as steps.
var features = map[string]defect.New{catalogue.Features: defect.Features, catalogue.FeaturesPublished: defect.FeaturesPublished}

// featuresStep makes a chat that does what some applications do and no step
// does, on package recovery or on the library's own adapter. It has its rows to itself.
func featuresStep(name string) (Server, error) {
	s, err := foreign(name, contract.Recovery)
	if err != nil {
		return s, err
	}
	itself, err := os.Executable()
	if err != nil {
		return Server{}, fmt.Errorf("finding this program, to start %s as a process: %w", name, err)
	}
	s.Step = name
	s.Server.Handler = inprocess.Defect(features[name])
	s.OwnRecovery = name == catalogue.Features
	s.Server.Target = itsProcess(itself, name, name)
	return s, nil
}

// serve serves in a process of its own, until that is ended.
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

// Command is a program, started anew for every run. Of the options, Tuning
// is the plan's.
func Command(options target.CommandOptions, level contract.Level) (Server, error) {
	s, err := foreign(strings.Join(options.Command, " "), level)
	s.Command = options.Command
	s.Name = "-- " + s.Name
	// A program may keep its data where it likes, not only in DATA_DIR: its log is
	// read before each run too.
	s.Shared = true
	s.Server.Target = func(tuning plan.Tuning) (target.Target, error) {
		its := options // runs go on side by side
		its.Tuning = tuning
		return target.NewCommand(its)
	}
	return s, err
}

// URL is a server that somebody else runs. For https, secure says which
// certificates are trusted; nil means the system's.
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

// InProcess is somebody's own server in this process, for the virtual lab.
func InProcess(name string, level contract.Level, server lab.Handler) (Server, error) {
	s, err := foreign(name, level)
	s.Server, s.Untuned = lab.InProcess(server), true
	return s, err
}

// foreign is a server that is not ours: it is judged with the reference page of
// the level that it claims, which is the page of the step that introduces it.
func foreign(name string, level contract.Level) (Server, error) {
	s := Server{Name: name, Level: level, Bundle: lessons.FetchBundle}
	return s, s.pageOf(level)
}

// KeepsOffset gives the server at least the page that keeps the offset of what it shows.
// It is for a server that numbers its messages, whatever level it is held to: it may count
// on its pages to name their offset, and replay everything to one that does not.
func (s *Server) KeepsOffset() error {
	if s.Level.AtLeast(contract.ServerDelivery) {
		return nil
	}
	return s.pageOf(contract.ServerDelivery)
}

// pageOf sets the reference page of the level.
func (s *Server) pageOf(level contract.Level) (err error) {
	s.HTML, err = inprocess.Page(level)
	return err
}

// Reachable tells, in one line, why nothing answers at a URL server's address.
func Reachable(address string) error {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
