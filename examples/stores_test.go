package examples

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The versions of clients that stores.md names are those that the tests of each guard require.
func TestStoresInTheDocs(t *testing.T) {
	page := read(t, guide+"stores.md")
	for name, at := range map[string]struct{ mod, path string }{
		"pgx":                {"internal/guards", "github.com/jackc/pgx/v5"},
		"lib/pq":             {"internal/guards", "github.com/lib/pq"},
		"mysql":              {"internal/guards", "github.com/go-sql-driver/mysql"},
		"modernc.org/sqlite": {"internal/guards", "modernc.org/sqlite"},
		"go-redis":           {"fencing/redisfence", "github.com/redis/go-redis/v9"},
		"client-go":          {"internal/e2e", "k8s.io/client-go"},
		"grpc":               {"fencing/grpcfence", "google.golang.org/grpc"},
		"gofakes3":           {"examples/objectstore", "github.com/johannesboyne/gofakes3"},
		"service/s3":         {"examples/objectstore", "github.com/aws/aws-sdk-go-v2/service/s3"},
		"franz-go":           {"examples/kafka", "github.com/twmb/franz-go"},
	} {
		mod := read(t, filepath.Join(root, at.mod, "go.mod"))
		required := regexp.MustCompile(`\b` + regexp.QuoteMeta(at.path) + ` v(\S+)`).FindStringSubmatch(mod)
		require.NotNil(t, required, "%s does not require %s", at.mod, at.path)
		told := regexp.MustCompile(regexp.QuoteMeta(name)+` (\d\S*\d)`).FindAllStringSubmatch(page, -1)
		require.NotEmpty(t, told, name)
		for _, version := range told {
			require.Equal(t, required[1], version[1], name)
		}
	}
	for _, api := range []string{"1.37.2", "3.7.3"} {
		require.Contains(t, read(t, filepath.Join(root, "internal/e2e/RESULTS.md")), "v"+api)
		require.Contains(t, page, " "+api)
	}
	folders, err := filepath.Glob(filepath.Join(root, "fencing/*/doc.go"))
	require.NoError(t, err)
	require.Greater(t, len(folders), 5)
	for _, folder := range folders {
		name := filepath.Base(filepath.Dir(folder))
		if !strings.Contains(page, "`"+name+"`") && name != "fencingprom" {
			t.Errorf("stores.md has no row for %s", name)
		}
	}
}
