package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// host is what a process can read of the container that it runs in.
type host struct {
	read func(path string) ([]byte, error)
}

func thisHost() host { return host{os.ReadFile} }

const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// ticks in a second: Linux counts a process's start in these, whatever its own rate is.
const ticks = 100

// started is when process 1 of this process's PID namespace started. All processes of the namespace
// end with process 1, so its life is the container's.
func (h host) started() (time.Time, error) {
	now := time.Now()
	uptime, err := h.read("/proc/uptime")
	if err != nil {
		return time.Time{}, err
	}
	stat, err := h.read("/proc/1/stat")
	if err != nil {
		return time.Time{}, err
	}
	first, _, _ := strings.Cut(string(uptime), " ")
	up, err := time.ParseDuration(first + "s")
	if err != nil {
		return time.Time{}, fmt.Errorf("evidence: /proc/uptime: %w", err)
	}
	// The program's name, in parentheses, may have spaces and parentheses in it.
	const startTime = 22 - 3 // starttime is field 22, and what follows the name begins with field 3
	rest := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
	if len(rest) <= startTime {
		return time.Time{}, fmt.Errorf(
			"evidence: /proc/1/stat has %d fields after the name, must be more", len(rest))
	}
	ticked, err := strconv.ParseUint(rest[startTime], 10, 48)
	if err != nil {
		return time.Time{}, fmt.Errorf("evidence: /proc/1/stat: start time: %w", err)
	}
	since := time.Duration(ticked) * (time.Second / ticks)
	return now.Add(since - up), nil
}

// container is the container's name and its Pod's UID, by the file for the container's last words,
// which the kubelet mounts into each container. They are empty if the runtime does not show it.
func (h host) container() (uid, name string) {
	text, err := h.read("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	source := regexp.MustCompile(`/pods/([0-9A-Za-z-]+)/containers/([0-9a-z-]+)/[0-9a-f]{8}$`)
	const root = 3 // the field that has the source of a mount
	for line := range strings.Lines(string(text)) {
		part := strings.Fields(line)
		if len(part) <= root {
			continue
		}
		if m := source.FindStringSubmatch(part[root]); m != nil {
			return m[1], m[2]
		}
	}
	return "", ""
}

// bound is what a service account's token says of the Pod that it was issued for. It is not
// verified here: it says who this process is, and gives it nothing.
func (h host) bound() (namespace, pod, uid string) {
	text, err := h.read(tokenFile)
	if err != nil {
		return "", "", ""
	}
	part := strings.Split(strings.TrimSpace(string(text)), ".")
	if len(part) != 3 {
		return "", "", ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		return "", "", ""
	}
	var claims struct {
		Kubernetes struct {
			Namespace string `json:"namespace"`
			Pod       struct {
				Name string `json:"name"`
				UID  string `json:"uid"`
			} `json:"pod"`
		} `json:"kubernetes.io"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", "", ""
	}
	k := claims.Kubernetes
	return k.Namespace, k.Pod.Name, k.Pod.UID
}
