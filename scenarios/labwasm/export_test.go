package labwasm

import "redial/scenarios/labpage"

// Play is PlayExactly without a schedule, in the lab that other calls use too, as on the lab page.
func (n *Node) Play(r labpage.Request) (labpage.Response, error) { return n.call(call{Request: r}) }
