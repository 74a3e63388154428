package writegate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
)

// shape of a body: an object, or a part of one that the API server merges into what it stores.
type shape int

const (
	whole shape = iota
	partial
)

var errNull = errors.New("its body is null")

// stampText stamps JSON, and YAML, of which it makes JSON. JSON is YAML, so the body's type stays
// true. What is not stamped stays as it is, to the last digit.
func (s shape) stampText(body []byte, token string) ([]byte, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		var err error
		if body, err = yaml.ToJSON(body); err != nil {
			return nil, fmt.Errorf("its body is neither JSON nor YAML: %w", err)
		}
	}
	open := func(text json.RawMessage) (fields map[string]json.RawMessage, _ error) {
		return fields, json.Unmarshal(text, &fields)
	}
	object, err := open(body)
	if err != nil {
		return nil, fmt.Errorf("its body is no object: %w", err)
	}
	if object == nil {
		return nil, errNull
	}
	mark, err := json.Marshal(token)
	if err != nil {
		return nil, err
	}
	if err := stampFields(s, object, mark, open, func(m map[string]json.RawMessage) json.RawMessage {
		text, _ := json.Marshal(m) // it was parsed from JSON
		return text
	}); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// stampCBOR stamps CBOR.
func (s shape) stampCBOR(body []byte, token string) ([]byte, error) {
	var object map[string]any
	if err := direct.Unmarshal(body, &object); err != nil {
		return nil, fmt.Errorf("its body is no object: %w", err)
	}
	if object == nil {
		return nil, errNull
	}
	open := func(value any) (map[string]any, error) {
		if fields, is := value.(map[string]any); is || value == nil {
			return fields, nil
		}
		return nil, fmt.Errorf("it is a %T", value)
	}
	err := stampFields(s, object, any(token), open, func(m map[string]any) any { return m })
	if err != nil {
		return nil, err
	}
	return direct.Marshal(object)
}

// stampFields puts the mark into an object's metadata.annotations. open returns a field's own
// fields, nil for null.
func stampFields[V any](
	s shape, object map[string]V, mark V,
	open func(V) (map[string]V, error), seal func(map[string]V) V,
) error {
	inner := func(of map[string]V, name string) (fields map[string]V, err error) {
		if value, there := of[name]; there {
			if fields, err = open(value); err != nil {
				return nil, fmt.Errorf("its %s is no object: %w", name, err)
			}
			if fields == nil && s == partial {
				return nil, fmt.Errorf("its %s is null, which would remove the mark", name)
			}
		}
		if fields == nil {
			fields = map[string]V{}
		}
		return fields, nil
	}
	metadata, err := inner(object, "metadata")
	if err != nil {
		return err
	}
	annotations, err := inner(metadata, "annotations")
	if err != nil {
		return err
	}
	for _, fields := range []map[string]V{object, metadata, annotations} {
		for name := range fields {
			if s == partial && strings.HasPrefix(name, "$") && !ofList(name) {
				return fmt.Errorf("it has the directive %s for what the mark is in", name)
			}
		}
	}
	annotations[kubefence.Annotation] = mark
	metadata["annotations"] = seal(annotations)
	object["metadata"] = seal(metadata)
	return nil
}

// ofList reports whether a directive of a strategic merge patch is about a list beside it. Those
// for finalizers and owners come with many patches, and the mark is in no list.
func ofList(directive string) bool {
	return strings.HasPrefix(directive, "$setElementOrder/") ||
		strings.HasPrefix(directive, "$deleteFromPrimitiveList/")
}

// stampJSONPatch appends an operation. The API server refuses it if the object has no annotations
// then.
func stampJSONPatch(body []byte, token string) ([]byte, error) {
	var operations []json.RawMessage
	if err := json.Unmarshal(body, &operations); err != nil {
		return nil, fmt.Errorf("its body is no list of operations: %w", err)
	}
	if operations == nil {
		return nil, errNull
	}
	stamp, err := json.Marshal(map[string]string{
		"op": "add", "value": token,
		"path": "/metadata/annotations/" + strings.ReplaceAll(kubefence.Annotation, "/", "~1"),
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(append(operations, stamp))
}

// The first bytes of an object in Kubernetes' protobuf, before a runtime.Unknown.
const protobufMagic = "k8s\x00"

// stampProtobuf appends to the object a second metadata, with the annotation alone. Protobuf merges
// a message field that comes twice, and the entries of a map, so this needs no type. Every kind has
// its metadata in field 1.
func stampProtobuf(body []byte, token string) ([]byte, error) {
	raw, marked := bytes.CutPrefix(body, []byte(protobufMagic))
	if !marked {
		return nil, errors.New("its body does not begin as protobuf of Kubernetes does")
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(raw); err != nil {
		return nil, fmt.Errorf("its body is no object: %w", err)
	}
	if envelope.ContentEncoding != "" ||
		envelope.ContentType != "" && envelope.ContentType != runtime.ContentTypeProtobuf {
		return nil, fmt.Errorf("its body has contentEncoding %q and contentType %q, must have none",
			envelope.ContentEncoding, envelope.ContentType)
	}
	if err := new(metav1.PartialObjectMetadata).Unmarshal(envelope.Raw); err != nil {
		return nil, fmt.Errorf("its body is no object with metadata: %w", err)
	}
	const metadata, annotations, key, value = 1, 12, 1, 2 // of the object, metav1.ObjectMeta, an entry
	entry := appendField(appendField(nil, key, []byte(kubefence.Annotation)), value, []byte(token))
	envelope.Raw = appendField(envelope.Raw, metadata, appendField(nil, annotations, entry))
	out, err := envelope.Marshal()
	if err != nil {
		return nil, err
	}
	return append([]byte(protobufMagic), out...), nil
}

// appendField appends a field that has a length: a string or a message.
func appendField(to []byte, number uint64, content []byte) []byte {
	const lengthDelimited = 2
	to = binary.AppendUvarint(to, number<<3|lengthDelimited)
	return append(binary.AppendUvarint(to, uint64(len(content))), content...)
}
