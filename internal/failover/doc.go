// Package failover chooses, tries, classifies and commits one answer for one
// request, from an immutable snapshot of its configuration.
//
// The life of a request:
//
//	proxy accepts and reads the body          Request
//	the active Snapshot is loaded once        Store.Load
//	candidates in the order of the chain      Engine.Serve
//	   may this entry serve it at all?        Dialects.Translate, model
//	   may it be tried now?                   Circuit.Allow
//	   attempt                                Endpoint.Send
//	   what came back?                        Classify
//	   next entry, once more, or return
//	the first content commits the answer      Answer
//	proxy copies Answer.Next to the app until it ends
//
// Before the commit every fault can still become a clean failover; after it
// nothing is replayed, and an answer that breaks ends in the dialect's error
// event and an aborted connection, so that it never looks complete.
//
// The life of a configuration: a source hands a Config (plain data) to
// Store.Apply; Compile builds everything that can fail, carries the runtime
// state of unchanged entries over, and one atomic pointer is swapped. A
// request keeps the snapshot that it began with.
//
// The package imports the standard library only. What it needs of the world
// it asks for through small interfaces that leaves implement: Circuits
// (package circuit), Dialects (package dialect), Endpoints (package provider)
// and Observer (packages metrics and notify).
package failover
