package labwasm

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"redial/scenarios/labpage"
)

//go:embed play.mjs
var script string

// Node is a lab in Node.js. Only one goroutine may use it.
type Node struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
	errors  bytes.Buffer
}

// Start starts Node.js with the lab that Build has put into the folder.
func Start(folder string) (*Node, error) {
	n := &Node{command: exec.Command("node", "--input-type=module", "--eval", script, "--", folder)}
	n.command.Stderr = &n.errors
	var err error
	if n.input, err = n.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := n.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.output = bufio.NewReader(output)
	if err := n.command.Start(); err != nil {
		return nil, fmt.Errorf("the lab in WebAssembly needs Node.js 20 or later: %w", err)
	}
	return n, nil
}

// PlayExactly is labpage.Play in Node.js, in a new lab. The schedule decides everything that the plan's seed
// does not: the case that a select takes, the order of a map's iteration, and the ids and
// keys that servers and pages generate. The program has one thread, so a schedule always
// gives the same run, byte by byte.
func (n *Node) PlayExactly(r labpage.Request, schedule uint64) (labpage.Response, error) {
	return n.call(call{r, fmt.Sprint(schedule)})
}

// A call is a line for play.mjs. (A schedule does not fit into a JavaScript number, so it is
// a string.)
type call struct {
	Request  labpage.Request `json:"request"`
	Schedule string          `json:"schedule,omitempty"`
}

func (n *Node) call(c call) (labpage.Response, error) {
	if err := json.NewEncoder(n.input).Encode(c); err != nil {
		return labpage.Response{}, n.failed(err)
	}
	line, err := n.output.ReadBytes('\n')
	if err != nil {
		return labpage.Response{}, n.failed(err)
	}
	var answer struct {
		Result labpage.Response `json:"result"`
		Error  string           `json:"error"`
	}
	if err = json.Unmarshal(line, &answer); err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return answer.Result, err
}

// failed adds the output of Node.js, which has ended, to the error.
func (n *Node) failed(err error) error {
	err = errors.Join(err, n.Close())
	return fmt.Errorf("the lab in Node.js has ended: %w: %.500s", err, strings.TrimSpace(n.errors.String()))
}

func (n *Node) Close() error {
	_ = n.input.Close() // the script ends at the end of its input
	return n.command.Wait()
}
