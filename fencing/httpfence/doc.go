// Package httpfence carries fencing tokens over HTTP and refuses requests of yesterday's leader. Standard library only.
//
//	replica                                     server, one process in front of one resource
//	Transport  --- Fencing-Token: ... --------> Server.Middleware --> your handler
//	Remote     --- POST, Fencing-Token: ... --> Server.Endpoint
//
// In each replica, [Transport] stamps what work sends with the token in its context, and [Remote], listed in
// singleton.Config.Guards, announces each term before its work starts. At the server, [Server] judges the token, keeps the
// handler's work in flight at the guard, and ends it when a newer term arrives.
//
// # Wire form
//
// Fencing-Token is one item of RFC 9651 (structured fields), whose parameters come in this order:
//
//	Fencing-Token: "42";scope="shop/invoicer";term="9f86d081884c7d659a2feaa0c55ad015"
//
// The epoch is a String, because an Integer of that RFC ends at 15 digits and an epoch at 2^63-1. No character of a scope
// needs an escape. [Parse] takes exactly what [Format] writes, so no two texts mean one token: other orders, further
// parameters, white space, signs and leading zeros are malformed, as is a field that is sent twice.
//
// # Answers
//
//	412  Fencing-Refused: stale        a newer term was admitted; Fencing-High-Water is its token
//	409  Fencing-Refused: conflict     another term has this epoch; Fencing-High-Water is its token
//	428  Fencing-Refused: missing      no token, and the request needs one
//	400  Fencing-Refused: malformed    not the form above, or more than one
//	403  Fencing-Refused: scope        a token of another Lease
//	500  Fencing-Refused: wiring       the server's own guard is wired wrongly
//	503  Fencing-Refused: unavailable  the guard cannot decide, or older work is still in flight; Retry-After is set
//
// The handler did not run, or a newer term overtook it: then what it did before stays done. It answers so itself ([Refuse]), or
// says nothing and returns after it could see that its context had ended, which would otherwise be 200. A body that was cut
// short so is broken off, not ended. [Transport] turns all of these back into errors; the first two by status and Fencing-High-Water
// alone, so that a server in another language need not send Fencing-Refused.
//
// # What is not guaranteed
//
//   - A response that never came says nothing: the request may have taken effect, or may yet.
//   - What a handler starts and leaves behind is not followed: goroutines, a hijacked connection, a queue, the handler
//     that [http.TimeoutHandler] no longer waits for. Put that one around the Server, never behind it.
//   - A handler that ignores its context and blocks in neither body nor response delays the successor's announcement; the
//     guard answers that with 503 and never admits both.
//   - Reads are not fenced by default. GET that writes must be named in ServerConfig.Fenced, and so must GET with a method
//     override header, if something behind obeys that.
//   - A token proves nothing about its sender. Authenticate before the Server: whoever presents a high epoch locks the
//     others out.
package httpfence
