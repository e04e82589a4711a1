// Package check judges a history: which messages were lost, duplicated or out of
// order, which rule of package contract that breaks, and what the run comes to.
//
// Read [Judge] and [Verdict] first, then rules.go, which has one function for
// each rule. [NewChecker] is the same judge for a history that is too long to
// hold: it takes one event at a time, and its memory grows with the pages, the
// distinct messages and the anomalies, not with every message that every page
// shows. The time is linear in the events and the breaks found.
//
// check must not know how a run was made: no networks, servers, clients or
// clocks. All it has is the events, and a recorded history can be judged again
// years later. The slice of events is the order of observation; the index of an
// event in it is the only clock, but for the length of a gap.
//
// # What the words mean
//
// A message is its exact text. A view is one page load of one client. The log is
// the Stored rows that a LogRead closes; without a LogRead there is no log. (A
// level below server-delivery promises none, so the lab does not record a LogRead
// for it: an acknowledged message would be missing from an empty log. A run that was
// to read the log, as its Began event says, and has no LogRead is inconclusive.)
//
// A barrier is an event Barrier without a client, or Ended. A message is at rest from the
// first barrier on that the connection has lasted to which carried it (for what was said
// offline, the next one), or before which somebody said something when it had been shown
// or acknowledged (at a barrier every client sends one more message). Where that
// connection broke before, the server may still be at work on it, and nobody knows for
// how long. From client-delivery on the page says it again, and nothing else before it
// is acknowledged; so there it is at rest from the first barrier after it was Sent at
// which a page of its browser is connected, or all of them are gone for good.
//
// A message is said in health if its page was connected then and stayed so,
// without a break, until the next barrier.
//
// The log is read up to a message of the reader's own, the last that no page has Sent.
// What was shown or acknowledged only after that was Sent may stand behind it, and is
// not asked of the log.
//
// Messages of one view keep the order in which they were sent. Below client-delivery
// that is asked of those that went over one connection (what is said offline goes over
// the next one): Socket.IO keeps no order over two, as the server may still be at work on
// what came over the first when the second brings more. From client-delivery on a page
// has one message under way at a time.
//
// A view is entitled to a message that certainly exists (a row of the log;
// without a log, what was acknowledged or is shown anywhere)
//   - at every level: if one of its connections began before the message was Sent
//     and lasted until a barrier at which the message was at rest;
//   - from recovery on: the same, with connections joined over the gaps that
//     connection state recovery covers. The view has to be connected at the barrier:
//     one that falls into a gap gives it no time to catch up. Not covered are a gap
//     that either side asked for ("io client disconnect", "io server disconnect"), one with the end
//     of a server between the Connected before and the Connected after, and one of at least
//     MaxDisconnection (2 minutes, where the plan does not say). Where the page had tried
//     to connect since before the end of a server, the Connected before may be that
//     server's, whose answer was on its way for as long: it is, if it says recovered, and
//     is taken for it, if the Connected after does not;
//   - from server-delivery on: to every row of the log (without one, to everything
//     that exists), if the view is open and connected at the end; with a log, to every row before the last one that it shows, if
//     it was closed before. A view that was Opened with an Offset asked for what
//     comes after it, and is owed no row up to there.
//
// From client-delivery on a message has to be stored, or shown where there is no log,
// also if it was not said in health, as long as the page is open and connected at the
// end. From durable-delivery on it is enough that its browser has any such page then:
// a message outlives the page that it was said on. (Tabs of one browser are what
// plan.Client.TabOf says.) And what one client said keeps its order in the log over all its pages.
//
// The levels include each other, so a stronger level never excuses what a weaker
// one blames.
//
// What was acknowledged or shown before the server's data was replaced (DataReplaced)
// need not be in the log, and where there is none is owed to nobody any more.
//
// # One break, one rule
//
// A text that nobody sent is blamed by no-phantom and by no other rule. Where such
// a text stands in a list (the log, a page) between what the sender of a missing
// message said before it and after it, it is taken for that message, altered, and
// the message is not called lost as well. (For a message that no page shows, where
// there is no log, the list is the sender's page.) A message that was refused and shows up
// all the same is a phantom; one that was both refused and acknowledged counts as
// acknowledged, since some attempt got through.
//
// What follows from a message that the log holds twice, or from two messages of one
// sender that the log holds in the wrong order, is blamed on the log, and not again
// on the pages that show it as the log has it.
//
// A view that is not connected at the end is late, which convergence blames, unless
// the plan's own script leaves it disconnected or the server stopped.
//
// Without a log, agreement asks whether there is one order that all views can be
// read as parts of. That is more than comparing views in pairs: three views can
// tell stories of which any two fit together and all three do not.
//
// # What a run comes to
//
// A run is inconclusive if its history has no Began or no Ended, if nobody sent
// anything, if a planned fault never fired, or if a text stands for two messages
// (then nothing is judged at all). Otherwise a broken must-rule fails it. A level
// that is about the log, from server-delivery on, is never passed without one: such
// a run is inconclusive too.
package check
