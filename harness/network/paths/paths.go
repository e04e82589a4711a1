// Package paths gives a program two real network paths, "wifi" and "4g", and switches it
// from one to the other as a phone does that leaves the range of its WiFi.
//
// Read [Namespace] first, then [Namespace.Switch]. The package needs root and the ip command of
// Linux; [Available] reports whether both are there. Delay and loss are for package network: its
// links listen at [Namespace.Address].
//
// The package must not know which program runs in the namespace, nor what a frame is.
package paths

import "errors"

// ErrUnavailable is returned if this user cannot make network namespaces on this system.
var ErrUnavailable = errors.New("a real network path needs root and the command ip on Linux")
