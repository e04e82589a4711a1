package target

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"redial/harness/contract"
)

// The test binary plays the server too: it runs itself with this variable set.
const roleVariable = "REDIAL_TARGET_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(){
		"server":           func() { serve(nil) },
		"silent":           func() { fmt.Println("I listen on nothing"); select {} },
		"elsewhere":        listenElsewhere,
		"mute":             func() { serve(map[string]func(){"/{$}": func() { select {} }}) },
		"dies":             func() { fmt.Println("one line"); fmt.Fprintln(os.Stderr, "no such table: messages"); os.Exit(1) },
		"ignores-sigterm":  func() { signal.Ignore(syscall.SIGTERM); serve(nil) },
		"grandchild":       func() { startGrandchild("ignores-hangup"); serve(nil) },
		"leader-leaves":    func() { startGrandchild("slow-to-stop"); serve(nil) },
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

// serve answers with its process id until SIGTERM.
func serve(more map[string]func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{contract.EnvPingInterval, contract.EnvPingTimeout, contract.EnvMaxDisconnection, contract.EnvDataDir, "EXTRA"} {
			fmt.Fprintf(w, "%s=%s\n", name, os.Getenv(name))
		}
	})
	for path, action := range more {
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
	for { // until it minds its signals; the test bounds how long we are waited for
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

// slowToStop outlives its parent by a moment and leaves a file when it is let.
func slowToStop() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	writeProcessID()
	<-terminated
	time.Sleep(200 * time.Millisecond) // the work that a graceful stop takes
	os.WriteFile(filepath.Join(os.Getenv(contract.EnvDataDir), "finished"), nil, 0o644)
	os.Exit(0)
}

// startOutside serves from a group of its own, as a daemon would.
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

// subHarness starts a target, says where everything is, and waits to be killed.
func subHarness() {
	c, err := NewCommand(CommandOptions{Command: os.Args[:1], Env: []string{roleVariable + "=" + cmp.Or(os.Getenv("TARGET_ROLE"), "grandchild")}})
	if err == nil {
		err = c.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(c.life.group, c.DataDir())
	select {}
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
	if err := c.Start(within(t, 20*time.Second)); err != nil {
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
	var body strings.Builder
	bufio.NewReader(response.Body).WriteTo(&body)
	return body.String()
}

// gone waits until nothing that runs is left of the group.
func gone(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); groupAlive(group); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process group %d is still there", group)
		}
	}
}

// listenElsewhere is a server that ignores PORT.
func listenElsewhere() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("I listen on", listener.Addr())
	select {}
}
