package labwasm

import "redial/scenarios/labpage"

// Play is PlayExactly without a schedule, in the lab that other calls use too, as on the lab page.
func (n *Node) Play(r labpage.Request) (answer labpage.Response, err error) {
	return answer, n.call(call{Name: "play", Argument: r}, &answer)
}
