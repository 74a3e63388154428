// Package statuspage shows what replicas know of their election: who is active and since when, who
// was before and why that ended, and what may be wrong.
//
//	mux.Handle("/status", statuspage.Handler(elector))
//
// A browser gets a page that keeps itself current, and anybody else JSON. [SideBySide] shows
// several replicas on one page. The guide's page status.md says what its headlines mean, and what
// to do.
//
// # JSON
//
// The JSON of a replica is a [Status]. [Merge] joins the histories of several replicas.
//
//	{
//	  "at": "2026-11-30T12:04:00Z",
//	  "identity": "invoicer-2_950ac7f0c35f3900",
//	  "namespace": "shop",
//	  "name": "invoicer",
//	  "state": "active",
//	  "since": "2026-11-30T12:01:00Z",
//	  "holder": {
//	    "identity": "invoicer-2_950ac7f0c35f3900",
//	    "self": true,
//	    "dead": false,
//	    "token": "shop/invoicer@34.d4ece47256539b20812b9f3409bafbb6",
//	    "epoch": "34",
//	    "since": "2026-11-30T12:01:00Z"
//	  },
//	  "validForSeconds": 9.9,
//	  "overrun": false,
//	  "leaseMissing": false,
//	  "polls": false,
//	  "guards": [
//	    {"index": 0, "accepted": true, "epoch": "34", "at": "2026-11-30T12:04:00Z"}
//	  ],
//	  "work": {
//	    "started": true,
//	    "progress": "2026-11-30T12:03:58Z",
//	    "renewalSeconds": 0.004
//	  },
//	  "lease": {
//	    "uid": "77b8068c-4dcb-42d4-a325-3c26147f7d66",
//	    "resourceVersion": "125",
//	    "holderIdentity": "invoicer-2_950ac7f0c35f3900",
//	    "leaseDurationSeconds": 15,
//	    "leaseTransitions": 2,
//	    "acquireTime": "2026-11-30T12:01:00Z",
//	    "renewTime": "2026-11-30T12:04:00Z",
//	    "epoch": "34",
//	    "term": "d4ece47256539b20812b9f3409bafbb6",
//	    "program": "invoicer/worker",
//	    "released": false,
//	    "vacant": false
//	  },
//	  "timings": {
//	    "leaseDurationSeconds": 15,
//	    "renewDeadlineSeconds": 10,
//	    "retryPeriodSeconds": 2,
//	    "maxClockDrift": 0.05,
//	    "stopBudgetSeconds": 4.286
//	  },
//	  "history": [
//	    {
//	      "epoch": "34",
//	      "term": "d4ece47256539b20812b9f3409bafbb6",
//	      "holder": "invoicer-2_950ac7f0c35f3900",
//	      "start": "2026-11-30T12:01:00Z",
//	      "own": true,
//	      "joined": false
//	    },
//	    {
//	      "epoch": "2",
//	      "term": "5fa3639eb8534a3fa0d3c9466546b863",
//	      "holder": "invoicer-0_96c0ac2e6ecc13e9",
//	      "start": "2026-11-30T12:00:00Z",
//	      "end": "2026-11-30T12:01:00Z",
//	      "reason": "released",
//	      "own": false,
//	      "joined": true,
//	      "renewed": "2026-11-30T12:00:59Z"
//	    }
//	  ],
//	  "version": "v0.1.0",
//	  "program": "example.com/invoicer/cmd/worker v1.4.2",
//	  "go": "go1.27.0"
//	}
//
// Epochs are strings, because they may be too large for a JSON number.
package statuspage
