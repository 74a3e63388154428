// Package services runs the servers that hotseat is tested with: PostgreSQL,
// MariaDB and Redis for guards, HAProxy and nginx for traffic. Each listens on a free loopback port, keeps its data in a
// folder of its own below the temporary one, and ends with the test, or with the
// process that started it, however that ends.
//
// What is missing is installed from Debian's packages, by root, or in CI (where
// the variable CI is set) by sudo. Elsewhere tests that need it are skipped, and
// say so; in CI they fail.
package services
