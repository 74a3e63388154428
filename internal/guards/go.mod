module github.com/hotseat-go/hotseat/internal/guards

go 1.26.0

replace github.com/hotseat-go/hotseat => ../..

require (
	github.com/hotseat-go/hotseat v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
