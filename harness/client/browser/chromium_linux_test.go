package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// processesOf returns the processes that have the folder in their command line.
func processesOf(folder string) (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), folder) {
			found = append(found, file)
		}
	}
	return found
}

func TestChromiumEndsWithThisProcess(t *testing.T) {
	if os.Getenv(inChild) != "" {
		if _, err := shared.start(); err != nil {
			fmt.Println("error", err)
		}
		fmt.Println("folder", shared.folder)
		select {}
	}
	if _, err := Find(); err != nil {
		t.Skip(err)
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestChromiumEndsWithThisProcess$")
	// Chromium makes a socket in its folder, whose path has a bound.
	child.Env = append(os.Environ(), inChild+"=yes", "TMPDIR="+filepath.Dir(os.TempDir()))
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	folder, ok := strings.CutPrefix(strings.TrimSpace(line), "folder ")
	if !ok {
		t.Fatalf("the child prints %q, %v", line, err)
	}
	defer os.RemoveAll(folder)
	if running := processesOf(folder); len(running) == 0 {
		t.Error("Chromium does not run, so this test proves nothing")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	awaitNone(t, folder)
}

func TestShutdownLeavesNoProcessAndNoFolder(t *testing.T) {
	alice := watch(t, "alice", serve(t, form), tutorial, nil).opens()
	folder := shared.folder
	if len(processesOf(folder)) == 0 {
		t.Error("Chromium does not run, so this test proves nothing")
	}
	if err := Shutdown(); err != nil {
		t.Fatal(err)
	}
	awaitNone(t, folder)
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
	if err := alice.Close(); err != nil {
		t.Error(err)
	}
	alice.opens() // starts Chromium again
}

// awaitNone waits until no process has the folder in its command line.
func awaitNone(t *testing.T, folder string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(processesOf(folder)) > 0 {
		if sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("these are left: %q", processesOf(folder))
		}
	}
}
