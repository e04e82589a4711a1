package target

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ownGroup puts the program into a process group of its own, and lets the kernel
// kill it when the thread that started it is gone.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// groupAlive tells whether a process of the group still runs. One that has ended
// and was not yet reaped does not count: in a container nobody may ever reap it.
func groupAlive(group int) bool {
	if syscall.Kill(-group, 0) == syscall.ESRCH {
		return false
	}
	for _, pid := range processes() {
		if state, of := stat(pid); of == group && state != 'Z' && state != 'X' {
			return true
		}
	}
	return false
}

func processes() (pids []string) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pids = append(pids, filepath.Base(folder))
	}
	return pids
}

// stat reads a process's state letter and group from /proc/<pid>/stat; see
// proc(5). The name before them is in brackets and may hold anything.
func stat(pid string) (state byte, group int) {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 3 {
		return 0, 0
	}
	group, _ = strconv.Atoi(string(fields[2]))
	return fields[0][0], group
}

// listenerGroups finds the process groups that listen on the port. It is empty
// where nobody's files can be read, as those of another user.
func listenerGroups(port int) (groups []int) {
	eachListener(port, func(group, _ int) { groups = append(groups, group) })
	return groups
}

// portsOf are those that the processes of the group listen on.
func portsOf(group int) (ports []int) {
	eachListener(0, func(of, port int) {
		if of == group && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	})
	return ports
}

// eachListener calls do with the group of each process that listens on the port, or on any
// where that is 0, and with the port.
func eachListener(port int, do func(group, port int)) {
	sockets := listeners(port)
	if len(sockets) == 0 {
		return
	}
	for _, pid := range processes() {
		files, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, file := range files {
			link, err := os.Readlink(file)
			if at, ok := sockets[link]; ok && err == nil {
				_, group := stat(pid)
				do(group, at)
			}
		}
	}
}

// listeners are the sockets that listen on the port, or on any where that is 0, on any
// address, by the name they have under /proc/<pid>/fd, with their ports.
func listeners(port int) map[string]int {
	const listening = "0A"
	found := map[string]int{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, _ := os.ReadFile(table)
		for _, line := range strings.Split(string(data), "\n") {
			fields := strings.Fields(line)
			if len(fields) <= 9 || fields[3] != listening {
				continue
			}
			at, err := strconv.ParseUint(fields[1][strings.LastIndexByte(fields[1], ':')+1:], 16, 16)
			if err == nil && (port == 0 || int(at) == port) {
				found["socket:["+fields[9]+"]"] = int(at)
			}
		}
	}
	return found
}
