// Package paths gives a program two real network paths, "wifi" and "4g", and switches it
// from one to the other as a phone does.
//
// Read [Namespace] first, then [Namespace.Switch] and [How], the ways to switch. The package
// needs root and the ip command of Linux; [Available] reports whether both are there. Delay
// and loss are for package network: its links listen at [Namespace.Address].
//
// The package must not know which program runs in the namespace, nor what a frame is.
package paths

import (
	"errors"
	"time"
)

// ErrUnavailable is returned if this user cannot make network namespaces on this system.
var ErrUnavailable = errors.New("a real network path needs root and the command ip on Linux")

// offline is how long Lost leaves a program without a network. Chromium fires "offline" after 20 ms,
// or 700 ms on a busy machine, and does not if the other path is up before.
const offline = 2 * time.Second

// How is the way in which a Switch leaves the old path.
type How int

const (
	// Lost takes the link down and removes its address before it brings up the other path, as
	// when a phone leaves the range of its WiFi. For two seconds there is no network.
	Lost How = iota
	// Renumbered brings up the other path first and then removes the address of the old one,
	// whose link stays up, as when a phone's WiFi has lost its internet connection.
	Renumbered
	// Rerouted brings up the other path and leaves the old one up with its address: only
	// the default route changes. Packets from the old address are dropped, as by a carrier
	// that filters by source.
	Rerouted
)

func (h How) String() string { return [...]string{"lost", "renumbered", "rerouted"}[h] }

// A Phone is a Namespace with one way to switch, for a link of package network.
type Phone struct {
	*Namespace
	How How
}

// Switch is Namespace.Switch in the phone's way.
func (p Phone) Switch() error { return p.Namespace.Switch(p.How) }
