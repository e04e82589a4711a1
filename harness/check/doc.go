// Package check judges a history: which messages were lost, duplicated or reordered,
// which rule of package contract that breaks, and the outcome of the run.
//
// Read [Judge] and [Verdict] first, then rules.go, which has one function for each rule.
// [NewChecker] is the same judge for a history that is too long for memory: it takes one
// event at a time. Its memory grows with the pages, the distinct messages and the
// anomalies, not with every message that every page shows. The time is linear in the
// events and the disconnections.
//
// check must not import networks, servers, clients or clocks, nor know how a run was
// made. It has the events only, so a recorded history can be judged again years later.
// The slice of events is the order of observation. The index of an event in it is the only
// clock, except for the length of a gap.
//
// # Terms
//
// A message is identified by its exact text, except that a JSON object or array of up to 64 KiB
// is a value, also where it is sent as a text: the order of an object's keys, white space between
// tokens, and the way in which a string is escaped are no part of it. See [history.Identity]. A
// view is one page load of one client. The log is the Stored rows before a LogRead; without a
// LogRead there is no log. (A level below server-delivery promises no log, so the lab records no
// LogRead for it: an acknowledged message would be missing from an empty log. A run that has no
// LogRead although its Began event says KeepsLog, or although it has rows, is inconclusive.)
//
// A barrier is an event Barrier, or Ended. A message is at rest when the server has finished
// with it. That is the case from the first barrier until which the
// connection that carried the message has lasted; for a message that was sent offline, that
// is the next connection. It is also the case from a barrier before which a client sent
// something after the message had been shown or acknowledged (at a barrier every client
// sends one more message). Where the connection broke earlier, the server may still be
// processing the message, for an unknown time. From client-delivery on the page resends the
// message, and sends nothing else before it is acknowledged; so there the message is at rest
// from the first barrier after it was Sent at which its page is connected. From durable-delivery
// on, and once its own page is closed, another page of its browser may send it, so a barrier at
// which any of them is connected is enough, and one after all of them are gone for good.
//
// A view is blocked while a fault that passes no frame lasts on its link, while it is Suspended,
// or while every server is paused. Its connection may end then, and neither side knows: no
// barrier during the block proves anything for the view. If the connection ends before the next
// barrier after the block, it counts as ended since the block began. A view that is blocked when
// the run ends is not connected there.
//
// A message is sent in health if its page was connected at that time and stayed connected,
// without a break, until the next barrier.
//
// The log is read up to a message of the lab's own reader, which no page Sent; where the server
// sends by itself, up to the last stored message of its stream. A message that was sent, shown
// or acknowledged only after that one was Sent may come after it in the log, so the log is not
// required to have it.
//
// Messages of one view keep the order in which they were sent. Below client-delivery that
// is required only of messages that used one connection (a message that is sent offline uses
// the next one). Socket.IO keeps no order over two connections, since the server may still be
// processing messages of the first when the second brings more. From client-delivery on a
// page has one message in flight at a time.
//
// A view is entitled to a message that certainly exists (a row of the log; without a log, a
// message that was acknowledged or is shown anywhere, and where there is no echo either, one
// that was sent in health or has to be stored)
//   - at every level: if one of its connections began before the message was Sent and
//     lasted until a barrier at which the message was at rest;
//   - from recovery on: the same, with connections joined over the gaps that connection
//     state recovery covers. The view has to be connected at the barrier: a barrier in a gap
//     gives it no time to catch up. A gap is not covered if either side asked for it ("io
//     client disconnect", "io server disconnect"), if a server ended or was paused between
//     the Connected before it and the Connected after it, or if it lasted MaxDisconnection or
//     longer (2 minutes, where the plan has none). A page that was blocked notices only later
//     that its connection has ended, so its gap counts from the beginning of the block. Where
//     the page had been trying to connect since before a server ended, the Connected before
//     may belong to that server, whose answer was delayed: it does if it says recovered, and is
//     assumed to if the Connected after does not say recovered;
//   - from server-delivery on: to every row of the log (without a log, to every message
//     that exists), if the view is open and connected at the end. With a log, a view that was
//     closed before is entitled to every row before the last one that it shows. A message
//     that a page Removed which is up at the end counts as not shown, unless the server's
//     data was replaced after it and the log does not have it.
//
// From client-delivery on a message has to be stored, or shown where there is no log, even
// if it was not sent in health, as long as its page is open and connected at the end. From
// durable-delivery on it is enough that its browser then has any such page: a message
// outlives the page that sent it. (plan.Client.TabOf says which pages are tabs of one
// browser.) There, the messages of one client keep their order in the log over all its pages.
//
// The levels include each other: a stronger level never excuses what breaks a weaker one.
//
// A message that was acknowledged or shown before the server's data was replaced
// (DataReplaced), or that was at rest by then where there is no echo, need not be in the log.
// One that is sent again may have another place and offset there. Where it is not in the log, or
// there is none, only a page that was connected at a barrier before the replacement at which the
// message was at rest is entitled to it. A row that was Found before the run need not be Stored:
// the server may have trimmed it.
//
// # Each mistake breaks one rule
//
// A text that no client sent breaks no-phantom and no other rule. Where such a text stands in
// a list (the log, a page) between the messages that a sender sent before and after a missing
// one, it is taken for the missing message, altered, and that message is not also lost. (For a
// message that no page shows, where there is no log, the list is the sender's page.) A message
// that was refused and is shown or stored all the same is a phantom. One that was both refused
// and acknowledged counts as acknowledged, since one attempt succeeded.
//
// Where the log holds a message twice, or two messages of one sender in the wrong order, the
// log is at fault, and not also the pages that show it as the log has it.
//
// A view that is not connected at the end breaks convergence, unless the plan itself leaves it
// disconnected, its network broken, or the server stopped or paused.
//
// Without a log, agreement asks whether one order exists of which every view is a part. That
// is more than a comparison in pairs: of three views each two may agree while all three do not.
//
// # The outcome of a run
//
// A run is inconclusive if its history has no Began or no Ended, if no client sent anything,
// or if one text was sent as two messages (then nothing is judged at all). Otherwise a broken
// must-rule fails it. If none is broken, it is inconclusive all the same if a planned fault
// never fired, if a wait timed out, if the log was not read to its end, or if its level is
// unknown.
package check
