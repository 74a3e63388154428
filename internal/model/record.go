package main

import (
	"fmt"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// record is a Lease in small numbers. The zero record is a missing Lease.
type record struct {
	uid, version   uint8 // version is the object's resource version
	holder         uint8 // 0: nobody; see identity
	duration       uint8 // ticks
	acquire, renew uint8 // the holder's wall clock, see stamp; 0: none
	epoch, term    uint8 // 0: no annotation
	epochHolder    uint8
	released       uint8 // the version that a release replaced, 0: no mark
	vacant         bool  // created by a standby where there was none
	told           uint8 // the version that the holder knew, with what identifies it; 0: nothing was told
}

// newUID stands in a body for the UID that the API server is to give.
const newUID = 255

func (r record) exists() bool { return r.uid != 0 }

// untouched: no elector ever wrote it.
func (r record) untouched() bool {
	return r == record{uid: r.uid, version: r.version} && r.exists()
}

// provable: what was there before can prove that nobody is at work.
func (r record) provable() bool { return r.released != 0 || r.untouched() }

// saysAs: protocol.Lock.Before looks past a write that made r of was.
func (r record) saysAs(was record) bool {
	return r.uid == was.uid && (r.untouched() && was.untouched() || r.released != 0 && r.claim() == was.claim())
}

// claim of r: all that an edit can put back.
func (r record) claim() record {
	r.uid, r.version = 0, 0
	return r
}

func identity(holder uint8) string {
	if holder == 0 {
		return ""
	}
	return string(rune('a'+(holder-1)/8)) + "_" + strconv.Itoa(int(holder-1)%8)
}

const scope = "shop/invoicer"

func termID(term uint8) string {
	if term == 0 {
		return ""
	}
	return fmt.Sprintf("%032x", term)
}

func token(epoch, term uint8) fencing.Token {
	return fencing.Token{Scope: scope, Epoch: int64(epoch), Term: termID(term)}
}

// instant is a tick on a machine's clock; all machines' run alike.
func instant(tick uint8) protocol.Instant {
	return protocol.Instant{}.Add(time.Duration(tick+1) * time.Second)
}

func wall(stamp uint8) *metav1.MicroTime {
	if stamp == 0 {
		return nil
	}
	t := metav1.NewMicroTime(time.Unix(int64(stamp), 0).UTC())
	return &t
}

// lease is the record as package lease knows it.
func (r record) lease() protocol.Record {
	if !r.exists() {
		return protocol.Record{}
	}
	l := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "invoicer", UID: types.UID(strconv.Itoa(int(r.uid))),
		ResourceVersion: strconv.Itoa(int(r.version)), Annotations: map[string]string{},
	}}
	holder := identity(r.holder)
	l.Spec.HolderIdentity = &holder
	if r.duration != 0 {
		seconds := int32(r.duration)
		l.Spec.LeaseDurationSeconds = &seconds
	}
	l.Spec.AcquireTime, l.Spec.RenewTime = wall(r.acquire), wall(r.renew)
	set := func(key, value string) {
		if value != "" {
			l.Annotations[key] = value
		}
	}
	if r.epoch != 0 {
		set(lease.AnnotationEpoch, strconv.Itoa(int(r.epoch)))
	}
	set(lease.AnnotationTerm, termID(r.term))
	set(lease.AnnotationHolder, identity(r.epochHolder))
	if r.released != 0 {
		set(lease.AnnotationReleased, fmt.Sprintf("%s after %d", wall(r.renew).Format(metav1.RFC3339Micro), r.released))
	}
	if r.told != 0 {
		set(lease.AnnotationEvidence, fmt.Sprintf("%s after %d process of term %d", termID(r.term), r.told, r.term))
	}
	if r.vacant {
		set(lease.AnnotationVacant, "created by somebody")
	}
	return protocol.NewRecord(l)
}

func (r record) String() string {
	switch {
	case !r.exists():
		return "no Lease"
	case r.holder == 0 && r.released != 0:
		return fmt.Sprintf("term %d released after version %d, epoch %d (version %d)", r.term, r.released, r.epoch, r.version)
	case r.vacant:
		return fmt.Sprintf("vacant (version %d)", r.version)
	case r.untouched():
		return fmt.Sprintf("never held (version %d)", r.version)
	case r.holder == 0:
		return fmt.Sprintf("held by nobody, term %d before (version %d)", r.term, r.version)
	}
	return fmt.Sprintf("held by %s, term %d, epoch %d (version %d)", identity(r.holder), r.term, r.epoch, r.version)
}

// The bodies of internal/protocol/write.go. Each has a renewTime of its own: who wrote, and how
// often that one did.

func (m *model) stamp(s *state, i int) uint8 {
	p := &s.proc[i]
	p.wrote++
	if p.wrote > 120 {
		panic("model: bounds too large: too many writes")
	}
	if m.wrong(clockStands) {
		return uint8(i) + 1
	}
	return uint8(i)*120 + p.wrote
}

func (m *model) held(r record, holder uint8, c claim, stamp uint8) record {
	r.holder, r.epochHolder, r.epoch, r.term = holder, holder, c.epoch, c.term
	r.duration, r.renew, r.released, r.vacant = m.L, stamp, 0, false
	r.told = c.after
	return r
}

func (m *model) taken(from record, holder uint8, c claim, stamp uint8) record {
	r := m.held(from, holder, c, stamp)
	r.acquire = r.renew
	if m.deaths {
		r.told = from.version
	}
	return r
}

func (m *model) released(r record, holder uint8, c claim, stamp uint8) record {
	after := r.version
	r = m.held(r, holder, c, stamp)
	r.holder, r.duration, r.acquire, r.released, r.told = 0, 1, r.renew, after, 0
	return r
}
