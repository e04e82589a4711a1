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

// ErrUnavailable says that this system has no network namespaces for this user.
var ErrUnavailable = errors.New("a real network path needs root and the command ip on Linux")

// offline is how long Lost leaves a program without a network. Chromium says "offline" to
// its pages after 20 ms, or 700 ms on a busy machine; where the other path is up before
// that, it says nothing.
const offline = 2 * time.Second

// How is what becomes of the path that is left.
type How int

const (
	// Lost takes the link down and removes its address, and only then brings up the other
	// path: a phone that leaves the range of its WiFi. For two seconds there is no network.
	Lost How = iota
	// Renumbered brings up the other path first, then removes the address of the old one,
	// whose link stays up: a phone whose WiFi has no internet any more.
	Renumbered
	// Rerouted brings up the other path and leaves the old one up with its address: only
	// the default route changes. What is sent from the old address is dropped, as a
	// carrier does that filters by source.
	Rerouted
)

func (h How) String() string { return [...]string{"lost", "renumbered", "rerouted"}[h] }
