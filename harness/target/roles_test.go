package target

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"redial/harness/contract"
)

// roleVariable is set where a test runs the test binary as a server.
const roleVariable = "REDIAL_TARGET_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(){
		"server":           func() { serve(nil) },
		"never-listens":    func() { fmt.Println("I listen on nothing"); select {} },
		"ignores-port":     listenOnOtherPort,
		"never-answers":    func() { serve(map[string]func(){"/{$}": func() { select {} }}) },
		"exits-at-start":   func() { fmt.Println("one line"); fmt.Fprintln(os.Stderr, "no such table: messages"); os.Exit(1) },
		"ignores-sigterm":  func() { signal.Ignore(syscall.SIGTERM); serve(nil) },
		"grandchild":       func() { startGrandchild("ignores-hangup"); serve(nil) },
		"leader-ends":      func() { startGrandchild("slow-to-stop"); serve(nil) },
		"ignores-hangup":   func() { signal.Ignore(syscall.SIGTERM, syscall.SIGHUP); writeProcessID(); select {} },
		"slow-to-stop":     slowToStop,
		"leaves-session":   leavesSession,
		"exits-when-asked": func() { serve(map[string]func(){"/exit": func() { os.Exit(3) }}) },
		"outside":          startOutside,
		"harness":          subHarness,
		"":                 func() { os.Exit(m.Run()) },
	}
	role, known := roles[os.Getenv(roleVariable)]
	if !known {
		panic("unknown role " + os.Getenv(roleVariable))
	}
	role()
}

// serve answers with its process id until SIGTERM, and runs an action for each path that has
// one.
func serve(actions map[string]func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{contract.EnvPingInterval, contract.EnvPingTimeout, contract.EnvMaxDisconnection, contract.EnvDataDir, "EXTRA"} {
			fmt.Fprintf(w, "%s=%s\n", name, os.Getenv(name))
		}
	})
	for path, action := range actions {
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) { action() })
	}
	terminated := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGTERM) {
		signal.Notify(terminated, syscall.SIGTERM)
	}
	go func() {
		fmt.Println("serving as", os.Getpid())
		fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv(contract.EnvPort), mux))
		os.Exit(1)
	}()
	<-terminated
	fmt.Println("stopped cleanly")
	os.Exit(0)
}

func startGrandchild(role string) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"="+role)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		panic(err)
	}
	for { // until it handles its signals; the test bounds the wait
		if text, _ := os.ReadFile(grandchildFile()); len(text) > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func grandchildFile() string { return filepath.Join(os.Getenv(contract.EnvDataDir), "grandchild") }

func writeProcessID() {
	os.WriteFile(grandchildFile(), []byte(strconv.Itoa(os.Getpid())), 0o644)
}

// slowToStop outlives its parent by a moment and writes a file if it is not killed before.
func slowToStop() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	writeProcessID()
	<-terminated
	time.Sleep(200 * time.Millisecond) // the work that a graceful stop takes
	os.WriteFile(filepath.Join(os.Getenv(contract.EnvDataDir), "finished"), nil, 0o644)
	os.Exit(0)
}

// startOutside serves from another process group, as a daemon does.
func startOutside() {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=server")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println("outside", child.Process.Pid)
	select {}
}

// subHarness starts a target, prints its process group and data folder, and waits to be
// killed.
func subHarness() {
	c, err := NewCommand(CommandOptions{Command: os.Args[:1], Env: []string{roleVariable + "=" + os.Getenv("TARGET_ROLE")}})
	if err == nil {
		err = c.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(c.process.group, c.DataDir())
	select {}
}

// startHarness runs subHarness with a target of the role.
func startHarness(t *testing.T, role string) (harness *exec.Cmd, group int, folder string) {
	t.Helper()
	harness = exec.Command(os.Args[0])
	harness.Env = append(os.Environ(), roleVariable+"=harness", "TARGET_ROLE="+role)
	harness.Stderr = os.Stderr
	output, err := harness.StdoutPipe()
	if err == nil {
		err = harness.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(output, &group, &folder); err != nil {
		t.Fatal(err)
	}
	return harness, group, folder
}

func command(t *testing.T, role string, change ...func(*CommandOptions)) *Command {
	t.Helper()
	options := CommandOptions{Command: os.Args[:1], Env: []string{roleVariable + "=" + role}}
	for _, f := range change {
		f(&options)
	}
	c, err := NewCommand(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func started(t *testing.T, role string, change ...func(*CommandOptions)) *Command {
	t.Helper()
	c := command(t, role, change...)
	if err := c.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func within(t *testing.T, bound time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

func get(t *testing.T, c Target, path string) string {
	t.Helper()
	response, err := http.Get("http://" + c.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// awaitGone waits until no process of the group runs.
func awaitGone(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); groupAlive(group); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process group %d is still there", group)
		}
	}
}

func listenOnOtherPort() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("I listen on", listener.Addr())
	select {}
}
