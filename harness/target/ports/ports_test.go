package ports

import (
	"net"
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
