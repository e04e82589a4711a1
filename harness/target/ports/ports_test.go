package ports

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestTakeReturnsEachPortOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		first, err := Take(2)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range []int{first, first + 1} {
			if seen[port] {
				t.Errorf("the port %d was taken already", port)
			}
			seen[port] = true
		}
	}
}

func TestPortsInARowAreRefusedWhereSomethingListens(t *testing.T) {
	first, err := Take(2)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+1))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	Release(first)
	Release(first + 1)
	if takeAll(first, 2) {
		t.Errorf("something listens on %d", first+1)
	}
	if !takeAll(first, 1) {
		t.Errorf("%d stays taken", first)
	}
}

// Two commands of redial at the same time must not start their servers on one port.
func TestAnotherProcessDoesNotTakeThePort(t *testing.T) {
	first, err := Take(1)
	if err != nil {
		t.Fatal(err)
	}
	inAnotherProcess := func() string {
		child := exec.Command(os.Args[0], "-test.run=^TestMain$")
		child.Env = append(os.Environ(), portToTake+"="+strconv.Itoa(first))
		output, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		return string(output)
	}
	if got := inAnotherProcess(); got != "false" {
		t.Errorf("took a port of another process: %s", got)
	}
	Release(first)
	if got := inAnotherProcess(); got != "true" {
		t.Errorf("took a released port: %s", got)
	}
}

const portToTake = "PORT_TO_TAKE"

func TestMain(m *testing.M) {
	if port, err := strconv.Atoi(os.Getenv(portToTake)); err == nil {
		fmt.Print(takeAll(port, 1))
		return
	}
	m.Run()
}
