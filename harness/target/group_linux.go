package target

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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
	sockets := listeners(port)
	if len(sockets) == 0 {
		return nil
	}
	for _, pid := range processes() {
		files, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, file := range files {
			if link, err := os.Readlink(file); err == nil && sockets[link] {
				_, group := stat(pid)
				groups = append(groups, group)
				break
			}
		}
	}
	return groups
}

// listeners are the sockets that listen on the port, on any address, by the name
// they have under /proc/<pid>/fd.
func listeners(port int) map[string]bool {
	const listening = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, _ := os.ReadFile(table)
		for _, line := range strings.Split(string(data), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && fields[3] == listening {
				found["socket:["+fields[9]+"]"] = true
			}
		}
	}
	return found
}
