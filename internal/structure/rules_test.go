package structure

// rule says that no package of from reaches one of never, by whatever path. Where it is direct, it
// is about imports of from's own only. Both are patterns: see matches.
type rule struct {
	from, never string
	direct      bool
	why         string
}

// library is what a service links into its production binary.
const library = "./fencing/... !./fencing/fencingtest ./lease ./singleton/..."

func rules() []rule {
	return []rule{
		// Guards.
		{
			from: "./fencing/...", never: "./lease ./singleton/...",
			why: "a guard stands before a resource, whoever elects the one that writes",
		},
		{
			from: "./fencing ./fencing/filestore ./fencing/httpfence ./fencing/sqlfence", never: "... !std !./fencing",
			why: "a resource's server links these for nothing more than the standard library",
		},
		{
			from: "./fencing/fencingtest test:./fencing/fencingtest", never: "... !std !./fencing !./fencing/fencingtest !./internal/whole",
			why: "authors of guards get no requirement by it",
		},
		{
			from: "./fencing/... !./fencing/kubefence", never: "k8s.io/... sigs.k8s.io/...",
			why: "a resource need not be in Kubernetes",
		},
		{
			from: "./fencing/... !./fencing/fencingprom ./lease", never: "github.com/prometheus/...",
			why: "metrics are for who wants them: fencingprom and singleton have them",
		},
		{
			from: "./fencing/... !./fencing/redisfence/goredis !./fencing/pgxfence", never: "./fencing/... !./fencing",
			why: "what guards share is in package fencing, where everybody who writes one finds it",
		},
		{
			from: "./fencing/redisfence/goredis", never: "./fencing/... !./fencing !./fencing/redisfence",
			why: "an adapter knows the one guard that it is for",
		},
		{
			from: "./fencing/pgxfence", never: "./fencing/... !./fencing !./fencing/sqlfence",
			why: "it is sqlfence over another client, by what that exports for it",
		},
		{
			from: "./fencing/redisfence", never: "github.com/redis/...",
			why: "it runs over any client, and goredis is the adapter for that one",
		},
		{
			from: "./fencing/...", never: "./internal/...",
			why: "a guard in a module of its own may be built with a later root, whose internal packages are others",
		},

		// Size.
		{
			from: "./lease ./internal/protocol ./singleton ./singleton/events ./singleton/evidence ./singleton/leaderflags ./singleton/leadermetrics ./singleton/route ./singleton/rollout ./singleton/statuspage", never: "k8s.io/client-go/kubernetes/...",
			why: "it links the types of every API group: 20 MB in a program that has only a rest.Config",
		},
		{
			from: "./singleton/evidence", never: "k8s.io/api/core/...",
			why: "six fields of a Pod are all that it reads: the types of the group are 10 MB",
		},

		{
			from: "./singleton/route", never: "k8s.io/api/core/... k8s.io/api/discovery/...",
			why: "they are 10 MB in a program, for the few fields of a Pod and a slice that it reads",
		},

		// Layers.
		{
			from: "./lease", never: "./singleton/... ./internal/...",
			why: "what users meet of a Lease is not the protocol, which may change",
		},
		{
			from: "./internal/protocol", never: "./singleton/...",
			why: "the protocol on one Lease knows nothing of who drives it",
		},
		{
			from: "./internal/protocol", never: "./internal/lookout ./internal/outage",
			why: "the protocol neither watches by itself nor logs",
		},
		{
			from: "test:./internal/protocol", never: "./singleton",
			why: "its tests must fail where the protocol is at fault",
		},
		{
			from: "./lease ./singleton", never: "./singleton/singletontest ./internal/... !./internal/chance !./internal/elapsed !./internal/retry !./internal/lookout !./internal/outage !./internal/protocol",
			why: "services do not link what is for tests",
		},
		{
			from: library + " !./singleton/singletontest", never: "testing testing/... github.com/stretchr/...",
			why: "services do not link what is for tests, nor get its flags",
		},
		{
			from: library + " !./singleton/leaderlock", never: "k8s.io/client-go/tools/leaderelection/...",
			why: "the elector is our own: internal/docs/adr/0003-our-own-elector.md",
		},
		{
			from: library + " !./singleton/leaderlock", never: "./singleton/leaderlock",
			why: "what fits hotseat to a framework stands around it, and links that framework",
		},
		{
			from: "./singleton/leaderlock", never: "./internal/...", direct: true,
			why: "it is made of the public face, as others could make it",
		},

		{
			from: "./lease ./singleton", never: "./singleton/... !./singleton",
			why: "the core knows nothing of the packages around it",
		},
		{
			from: "./singleton/events ./singleton/leaderflags ./singleton/leadermetrics ./singleton/statuspage", never: "./internal/...", direct: true,
			why: "what is around the core stands on its public face, as anybody's code does",
		},
		{
			from: "./singleton/evidence ./singleton/rollout ./singleton/route", never: "./internal/... !./internal/apiclient !./internal/retry", direct: true,
			why: "the same, but for what each of them would write anew: requests about Pods, and the pauses after those that failed",
		},
		{
			from: "./internal/apiclient", never: "./singleton/... ./internal/...",
			why: "what packages around the core share knows nothing of the core",
		},
		{
			from: "./internal/retry", never: "./lease ./singleton/... ./internal/... !./internal/chance !./internal/elapsed",
			why: "pauses are the same for whoever makes them",
		},
		{
			from: library, never: "k8s.io/component-base/... sigs.k8s.io/controller-runtime/...",
			why: "who has neither gets neither: singleton/leaderflags takes what component-base has by conversion",
		},
		{
			from: "./singleton/serving", never: "... !std !./singleton !./fencing", direct: true,
			why: "what stands around the core uses its public face, and a server links nothing more for it",
		},
		{
			from: "./singleton/grpcserving", never: "./internal/...", direct: true,
			why: "it is a module of its own, and may be built with a later root",
		},

		// What judges the others.
		{
			from: "./internal/apiserver", never: "./fencing/... ./lease ./singleton ./internal/... !./internal/apistore",
			why: "a test's API server shares no mistake with what is tested on it",
		},
		{
			from: "./internal/apistore", never: "./fencing/... ./lease ./singleton/... ./internal/...",
			why: "nor does the store below it and the simulator",
		},
		{
			from: "./internal/leasetest", never: "./fencing/... ./lease ./singleton/...",
			why: "the contract is that of a server, whoever asks it",
		},
		{
			from: "./internal/guardtest", never: "./lease ./singleton/... ./fencing/... !./fencing !./fencing/fencingtest",
			why: "the suite is for guards of any kind, behind any elector",
		},
		{
			from: "./internal/linear", never: "... !std",
			why: "what judges histories shares nothing with what made them",
		},
		{
			from: "./... test:./... !test:./internal/guards", never: "github.com/anishathalye/...",
			why: "what only tests require is in the module graph of all who require the library",
		},
		{
			from: "./internal/model", never: "./singleton/...",
			why: "the model is of the rules, without the loop around them",
		},

		// Examples.
		{
			from: "./examples/... !./examples/postgres !./examples/gateway/client", never: "./internal/... !./internal/proc", direct: true,
			why: "an example is what others can write, too; that it starts its replicas as processes is no part of it",
		},
		{
			from: "./examples/postgres", never: "./internal/... !./internal/proc !./internal/services", direct: true,
			why: "the same, but that it starts its database",
		},
		{
			from: "./examples/gateway/client", never: "./internal/... !./internal/reach", direct: true,
			why: "the same, but that its answers are audited as the tests' own are",
		},
	}
}
