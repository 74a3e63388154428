// Package httpfence carries fencing tokens over HTTP, and refuses requests of earlier terms. It
// uses the standard library only.
//
//	replica                                     server, one process in front of one resource
//	Transport  --- Fencing-Token: ... --------> Server.Middleware --> your handler
//	Remote     --- POST, Fencing-Token: ... --> Server.Endpoint
//
// In each replica, [Transport] puts the token from the context on each request of the work.
// [Remote], listed in singleton.Config.Guards, announces each term before its work starts. At the
// server, [Server] judges the token. It registers the handler's work with the guard as in flight,
// and ends that work when a newer term arrives.
//
// # Wire form
//
// Fencing-Token is one item of RFC 9651 (structured fields). Its parameters come in this order:
//
//	Fencing-Token: "42";scope="shop/invoicer";term="9f86d081884c7d659a2feaa0c55ad015"
//
// The epoch is a String, because an Integer of that RFC has at most 15 digits, and an epoch may be
// up to 2^63-1. No character of a scope needs an escape. [Parse] accepts exactly what [Format]
// writes, so no two texts mean the same token. Another order, further parameters, white space,
// signs and leading zeros are malformed. So is a field that is sent twice.
//
// # Answers
//
//	412  Fencing-Refused: stale        a newer term was admitted; Fencing-High-Water is its token
//	409  Fencing-Refused: conflict     another term has this epoch; Fencing-High-Water is its token
//	428  Fencing-Refused: missing      no token, and the request needs one
//	400  Fencing-Refused: malformed    not the form above, or more than one
//	403  Fencing-Refused: scope        a token of another Lease
//	500  Fencing-Refused: wiring       the server's own guard is miswired
//	503  Fencing-Refused: unavailable  the guard cannot decide, or older work is still in flight;
//	                                   Retry-After is set
//
// Such an answer means that the handler did not run, or that a newer term overtook it. What an
// overtaken handler did before then stays done. The handler may give the answer itself ([Refuse]).
// If it returns without an answer although it could see that its context had ended, the Server
// gives the refusal instead of 200. If the handler had already begun the body of a response, the
// Server breaks the connection, so that the body does not look complete.
//
// [Transport] turns all these answers back into errors. It recognizes the first two by status and
// Fencing-High-Water alone, so a server in another language need not send Fencing-Refused.
//
// # What is not guaranteed
//
//   - If no response comes, the request may have taken effect, or may still do so.
//   - What a handler starts and leaves behind is not tracked: goroutines, a hijacked connection, a
//     queue, the handler that [http.TimeoutHandler] no longer waits for. Put a TimeoutHandler
//     around the Server, never behind it.
//   - A handler that ignores its context delays the successor's announcement, unless it is blocked
//     in reading the body or in writing the response. Those fail. The guard answers the
//     announcement with 503. It never admits both.
//   - Reads are not fenced by default. If a GET writes, ServerConfig.Fenced must report it. The
//     same holds for a GET with a method override header, if something behind the Server obeys the
//     header.
//   - A token proves nothing about its sender. Authenticate before the Server: whoever presents a
//     high epoch locks the others out.
package httpfence
