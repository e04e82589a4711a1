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
	"strconv"
	"strings"

	"redial/scenarios/labpage"
)

//go:embed play.mjs
var script string

// Node is a lab in Node.js. Its methods are for one goroutine.
type Node struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
	errors  bytes.Buffer
}

// Start starts Node.js with the lab that Build has put into the folder. With a seed every
// Play is on a lab of its own, and the seed decides all that is left to chance there: a
// request comes to one history, however often it is played.
func Start(folder string, seed *uint64) (*Node, error) {
	arguments := []string{"--input-type=module", "--eval", script, "--", folder}
	if seed != nil {
		arguments = append(arguments, strconv.FormatUint(*seed, 10))
	}
	n := &Node{command: exec.Command("node", arguments...)}
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

// Play is labpage.Play, there.
func (n *Node) Play(r labpage.Request) (answer labpage.Response, err error) {
	if err := json.NewEncoder(n.input).Encode(r); err != nil {
		return answer, n.failed(err)
	}
	line, err := n.output.ReadBytes('\n')
	if err != nil {
		return answer, n.failed(err)
	}
	return answer, json.Unmarshal(line, &answer)
}

// failed is an error with what Node.js has printed, which has ended.
func (n *Node) failed(err error) error {
	err = errors.Join(err, n.Close())
	return fmt.Errorf("the lab in Node.js has ended: %w: %.500s", err, strings.TrimSpace(n.errors.String()))
}

// Close ends it.
func (n *Node) Close() error {
	_ = n.input.Close() // after which the script ends
	return n.command.Wait()
}
