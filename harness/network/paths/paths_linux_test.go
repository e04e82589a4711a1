package paths_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/network/paths"
)

// namespace makes a namespace, or skips the test if that is not possible.
func namespace(t *testing.T) *paths.Namespace {
	t.Helper()
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	n, err := paths.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// inside, in the environment, makes the test program dial the address, send its input and print what
// it receives.
const inside = "REDIAL_PATHS_DIAL"

func TestMain(m *testing.M) {
	if address := os.Getenv(inside); address != "" {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			panic(err)
		}
		go io.Copy(conn, os.Stdin)
		io.Copy(os.Stdout, conn)
		os.Exit(0)
	}
	if os.Getenv(churns) != "" {
		for i := range 25 {
			n, err := paths.New()
			if err == nil && i == 0 {
				err = n.Switch()
			}
			if err == nil {
				err = n.Close()
			}
			if err != nil {
				os.Stdout.WriteString(err.Error())
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	if os.Getenv(abandons) != "" {
		n, err := paths.New()
		if err != nil {
			panic(err)
		}
		command := exec.Command(n.Command()[0], append(n.Command()[1:], "sleep", "1000")...)
		if err := command.Start(); err != nil {
			panic(err)
		}
		os.Stdout.WriteString(n.Command()[3] + "\n")
		select {}
	}
	os.Exit(m.Run())
}

// dial starts a program in the namespace that connects, and returns both ends.
func dial(t *testing.T, n *paths.Namespace, listener net.Listener) (server net.Conn, client io.Writer, received *bufio.Reader) {
	t.Helper()
	command := exec.Command(n.Command()[0], append(n.Command()[1:], os.Args[0])...)
	command.Env = append(os.Environ(), inside+"="+listener.Addr().String())
	command.Stderr = os.Stderr
	client, err1 := command.StdinPipe()
	output, err2 := command.StdoutPipe()
	if err := errors.Join(err1, err2, command.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.(*net.TCPConn).SetLinger(0); server.Close() })
	return server, client, bufio.NewReader(output)
}

// The time in which a text has to arrive, or must not.
const has, mustNot = time.Minute, time.Second

// receives tells whether the server receives the text within the time.
func receives(t *testing.T, within time.Duration, server net.Conn, want string) bool {
	t.Helper()
	server.SetReadDeadline(time.Now().Add(within))
	buffer := make([]byte, 100)
	count, err := server.Read(buffer)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection has ended: %v", err)
	}
	return string(buffer[:count]) == want
}

// Over the old path nothing passes in either direction, and neither end is closed. A new connection
// comes from another address.
func TestSwitchLeavesTheOldConnectionHalfOpen(t *testing.T) {
	n := namespace(t)
	listener, err := net.Listen("tcp", n.Address()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	before := n.Source()
	server, client, _ := dial(t, n, listener)
	if from, _, _ := net.SplitHostPort(server.RemoteAddr().String()); from != before {
		t.Errorf("it comes from %s, want %s", from, before)
	}
	io.WriteString(client, "over wifi\n")
	if !receives(t, has, server, "over wifi\n") {
		t.Fatal("nothing passes before the switch")
	}
	next := n.Next()
	if err := n.Switch(); err != nil || next != "4g, "+n.Source() || n.Source() == before {
		t.Fatalf("%q, %v, from %s", next, err, n.Source())
	}
	io.WriteString(client, "lost\n")
	if receives(t, mustNot, server, "lost\n") {
		t.Error("the old connection still works")
	}
	again, client, received := dial(t, n, listener)
	if from, _, _ := net.SplitHostPort(again.RemoteAddr().String()); from != n.Source() {
		t.Errorf("it comes from %s, want %s", from, n.Source())
	}
	io.WriteString(client, "over 4g\n")
	if !receives(t, has, again, "over 4g\n") {
		t.Error("nothing passes after the switch")
	}
	io.WriteString(again, "answer\n")
	if line, err := received.ReadString('\n'); line != "answer\n" {
		t.Errorf("%q, %v", line, err)
	}
	// Back on the first path, the address is again a new one.
	if err := n.Switch(); err != nil || n.Source() == before {
		t.Errorf("%v, from %s", err, n.Source())
	}
	if receives(t, mustNot, server, "lost\n") || receives(t, mustNot, again, "lost\n") {
		t.Error("an old connection works again")
	}
}

// abandons, in the environment, makes the test program make a namespace and wait.
const abandons = "REDIAL_PATHS_ABANDONS"

// If the guard was killed too, the next process removes the namespace.
func TestKilledProcessLeavesNoNamespace(t *testing.T) {
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("redial-%d-1", ended.Process.Pid)
	if output, err := exec.Command("ip", "netns", "add", stale).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), abandons+"=yes")
	output, err := child.StdoutPipe()
	if err = errors.Join(err, child.Start()); err != nil {
		t.Fatal(err)
	}
	name, err := bufio.NewReader(output).ReadString('\n')
	name = strings.TrimSpace(name)
	if err != nil || len(left(t, name)) == 0 {
		t.Fatalf("there is no namespace %q, %v, so this test proves nothing", name, err)
	}
	if found := left(t, stale); len(found) > 0 {
		t.Errorf("the next process leaves %q", found)
	}
	child.Process.Kill()
	child.Wait()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) && len(left(t, name)) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if found := left(t, name); len(found) > 0 {
		t.Errorf("these are left: %q", found)
	}
}

// churns, in the environment, makes the test program make and remove namespaces, and switch one.
const churns = "REDIAL_PATHS_CHURNS"

// What one process removes must not be what another has just made.
func TestProcessesBesideEachOtherDoNotCollide(t *testing.T) {
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), churns+"=yes")
			if output, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	all.Wait()
}

func TestCloseRemovesTheNamespace(t *testing.T) {
	n := namespace(t)
	name := n.Command()[3]
	if len(left(t, name)) == 0 {
		t.Fatal("there is no namespace, so this test proves nothing")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if found := left(t, name); len(found) > 0 {
		t.Errorf("these are left: %q", found)
	}
}

// An address that comes or goes makes every Chromium on the machine drop requests.
func TestNamespaceGivesTheHostNoAddress(t *testing.T) {
	n := namespace(t)
	if err := n.Switch(); err != nil {
		t.Fatal(err)
	}
	addresses, err := exec.Command("ip", "-o", "addr").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(addresses), " redial-") {
		t.Errorf("the host's end of a path has an address:\n%s", addresses)
	}
}

// left returns the namespace of the name and the links that lead to it.
func left(t *testing.T, name string) (found []string) {
	t.Helper()
	for _, arguments := range [][]string{{"netns", "list"}, {"-o", "link"}} {
		output, err := exec.Command("ip", arguments...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(output)) {
			if fields := strings.Fields(line); fields[0] == name || strings.HasSuffix(strings.TrimSpace(line), "link-netns "+name) {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	return found
}
