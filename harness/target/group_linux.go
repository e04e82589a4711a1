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

// ownGroup puts the program into a process group of its own, and has the kernel kill it when
// the thread that started it has ended.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// groupAlive tells whether a process of the group still runs. A zombie does not count, because
// in a container it may never be reaped.
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

// stat reads a process's state letter and group from /proc/<pid>/stat; see proc(5). They come
// after the program's name, which is in parentheses and may itself contain parentheses.
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

// listenerGroups finds the process groups that listen on the port. It does not find those of
// another user, whose open files cannot be read.
func listenerGroups(port int) (groups []int) {
	eachListener(port, func(group, _ int) { groups = append(groups, group) })
	return groups
}

// portsOf returns the ports on which the processes of the group listen.
func portsOf(group int) (ports []int) {
	eachListener(0, func(of, port int) {
		if of == group && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	})
	return ports
}

// eachListener calls do for each process that listens on the port, or on any port if that is
// 0, with the process's group and the port.
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

// listeners returns the sockets that listen on the port, or on any port if that is 0. It maps
// their names under /proc/<pid>/fd to their ports.
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
