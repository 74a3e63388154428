package main

const (
	pkgFencing    = "./fencing"
	pkgFilestore  = "./fencing/filestore"
	pkgHTTPFence  = "./fencing/httpfence"
	pkgKubefence  = "./fencing/kubefence"
	pkgGRPCFence  = "./fencing/grpcfence"
	pkgRedisfence = "./fencing/redisfence"
)

// What all guards judge by.
const (
	fileJudge  = "fencing/judge.go"
	judgeStale = "\tif order < 0 {\n\t\treturn false, &StaleError{Presented: t, HighWater: mark}\n\t}\n"
)

// ofGuards are bugs of the guards, one in each at least that its hammer, or what parks a write in it, must see. The simulator has no
// resource behind a guard.
func ofGuards() []mutant {
	return []mutant{
		{
			name: "memory-admits-older", file: "fencing/memory.go", pkg: pkgFencing, run: "TestGuardsOfThisPackage/Memory/Hammer",
			old: "raises, err := Judge(t, f.mark)\n\tif err != nil {\n\t\treturn nil, nil, err\n\t}\n", new: "raises := t != f.mark\n",
			why: "two actives write in turns",
		},
		{
			name: "judged-as-newer", file: fileJudge, pkg: pkgFencing, run: "^TestJudge$|TestGuardsOfThisPackage/.*/Hammer",
			old: judgeStale, new: "",
			why: "the same in every guard",
		},
		{
			name: "own-scope-not-asked", file: fileJudge, pkg: pkgFencing, run: "^TestOwn$",
			old: "if t.Scope != own {", new: "if false {",
			why: "a token of another Lease raises the mark",
		},
		{
			name: "damaged-mark-blamed-on-the-token", file: fileJudge, pkg: pkgFencing, run: "^TestParseMark$",
			old: `fmt.Errorf("%w: %v", ErrUnavailable, err)`, new: `fmt.Errorf("%w: %w", ErrUnavailable, err)`,
			why: "electors end for good at a mark that somebody could mend",
		},
		{
			name: "fails-open", file: fileJudge, pkg: pkgFencing, run: "^TestFailClosed$",
			old: "return fmt.Errorf(\"%w: %w\", ErrUnavailable, err)\n", new: "return nil\n",
			why: "what a guard could not decide is admitted",
		},
		{
			name: "durable-follows-nobody", file: "fencing/durable.go", pkg: pkgFencing, run: "TestGuardsOfThisPackage/Durable/(Hammer|Parked)",
			old: "return d.flight.Enter(ctx, t)", new: "return ctx, func() {}, nil",
			why: "a write that was let in lands after the newer term began",
		},
		{
			name: "memory-does-not-wait", file: "fencing/memory.go", pkg: pkgFencing, run: "TestGuardsOfThisPackage/.*/Parked",
			old: "if len(f.older) > 0 {\n\t\tif f.changed", new: "if false {\n\t\tif f.changed",
			why: "a parked write lands after the newer term began",
		},
		{
			name: "durable-believes-what-it-sees", file: "fencing/durable.go", pkg: pkgFencing, run: "TestDurableDoesNotAdmit",
			old: "return d.stored[t.Scope] == t", new: "return true",
			why: "an announced mark that a crash forgets",
		},
		{
			name: "file-swapped-whatever-is-there", file: "fencing/filestore/store.go", pkg: pkgFilestore, run: "TestProcessesSwapExactly|TestSwapIsByVersion",
			old: "if err != nil || versionOf(mark) != version {", new: "if err != nil || versionOf(mark) == \"none\" {",
			why: "of two processes the slower one lowers the mark",
		},
		{
			name: "file-written-once", file: "fencing/filestore/store.go", pkg: pkgFilestore, run: "TestPowerFailures|TestFailedFolderSync",
			old: "if err := s.write(next); err != nil {", new: "if mark == next {\n\t} else if err := s.write(next); err != nil {",
			why: "a sync that failed is taken for made good by the next one",
		},
		{
			name: "file-followed-by-nobody", file: "fencing/durable.go", pkg: pkgFilestore, run: "^TestGuard$/(Hammer|Parked)",
			old: "return d.flight.Enter(ctx, t)", new: "return ctx, func() {}, nil",
			why: "the same behind a file",
		},
		{
			name: "request-left-before-its-handler", file: "fencing/httpfence/fence.go", pkg: pkgHTTPFence, run: "TestGuardParked|TestGuardHammer|TestParkedRequest",
			old: "defer leave()", new: "leave()",
			why: "a parked request lands after the newer term began",
		},
		{
			name: "request-judged-by-nobody", file: "fencing/httpfence/fence.go", pkg: pkgHTTPFence, run: "TestGuardHammer",
			old: "ctx, leave, err := f.config.Guard.Enter(r.Context(), token) // it knows what to do about a missing one",
			new: "ctx, leave, err := r.Context(), func() {}, error(nil)",
			why: "two actives write in turns over HTTP",
		},
		{
			name: "silence-is-success", file: "fencing/httpfence/reply.go", pkg: pkgHTTPFence, run: "TestSilence",
			old: "Refuse(o.ResponseWriter, newer)", new: "o.note(200, 0, false)",
			why: "200 OK for a write that a newer term cut off",
		},
		{
			name: "reads-cut-without-a-body", file: "fencing/httpfence/reply.go", pkg: pkgHTTPFence, run: "TestNextRequestOnTheConnectionIsAlive",
			old: "o.has.cutReads = o.has.unread || o.has.hijacked", new: "o.has.cutReads = true",
			why: "who shares the connection is told that its client went away",
		},
		{
			name: "call-left-before-its-handler", file: "fencing/grpcfence/server.go", pkg: pkgGRPCFence, run: "^TestGuard$/.*/(Parked|Hammer)",
			old: "defer entry.leave()\n\treply, err", new: "entry.leave()\n\treply, err",
			why: "a parked call lands after the newer term began",
		},
		{
			name: "call-judged-by-nobody", file: "fencing/grpcfence/server.go", pkg: pkgGRPCFence, run: "^TestGuard$/.*/Hammer",
			old: "work, leave, err := f.config.Guard.Enter(ctx, token) // it knows what to do about a missing one",
			new: "work, leave, err := ctx, func() {}, error(nil)",
			why: "two actives write in turns over gRPC",
		},
		{
			name: "cut-stream-is-success", file: "fencing/grpcfence/server.go", pkg: pkgGRPCFence, run: "TestStreamCutShort",
			old: "return cmp.Or(entry.outcome(handler(srv, stream)), stream.cut())", new: "return entry.outcome(handler(srv, stream))",
			why: "a client takes a stream that was cut short for whole",
		},
		{
			name: "object-admits-older", file: "fencing/kubefence/mark.go", pkg: pkgKubefence, run: "^TestGuard$/.*/Hammer",
			old: "raises, err = fencing.Judge(t, mark)\n\tif err != nil {", new: "raises, err = fencing.Judge(t, mark)\n\tif false {",
			why: "two actives write an object in turns",
		},
		{
			name: "object-written-blindly", file: "fencing/kubefence/objects.go", pkg: pkgKubefence, run: "^TestGuard$/.*/(Parked|Hammer)",
			old: "stamp(object, t)\n\tctx,", new: "stamp(object, t)\n\tobject.SetResourceVersion(\"\")\n\tctx,",
			why: "a parked write lands on what a newer term wrote",
		},
		{
			name: "object-read-is-proof", file: "fencing/kubefence/guard.go", pkg: pkgKubefence, run: "TestGuardDoesNotBelieveACache|TestRetriedAnnouncement",
			old: "_, last = o.update(ctx, current, fencing.Token{})", new: "",
			why: "a cache that hangs admits what a newer term has fenced",
		},
		{
			name: "key-admits-older", file: "fencing/redisfence/script.go", pkg: pkgRedisfence, run: "^TestGuard$/Hammer",
			old: "  if order < 0 then return {'stale', mark} end\n", new: "",
			why: "two actives write to Redis in turns",
		},
		{
			name: "key-checked-beside-the-write", file: "fencing/redisfence/script.go", pkg: pkgRedisfence, run: "^TestGuard$/(Hammer|Parked)",
			old: "local raises = epoch ~= ''\n", new: "local raises = epoch ~= '' and #KEYS == 1\n",
			why: "a write that was checked before a newer term came lands after",
		},
	}
}

// guardPackages are those of ofGuards and ofSQLFence.
func guardPackages() []string {
	return []string{pkgFencing, pkgFilestore, pkgHTTPFence, pkgKubefence, pkgGRPCFence, pkgRedisfence, pkgGuards}
}
