package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// made is a record of shop/invoicer. An empty holder or successor is none.
func made(t *testing.T, holder, term, epoch, successor string) lease.Record {
	at, err := time.Parse(time.DateTime, "2026-11-30 20:00:00")
	require.NoError(t, err)
	l := &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "invoicer", UID: "u", ResourceVersion: "100",
			Annotations: map[string]string{
				lease.AnnotationEpoch: epoch, lease.AnnotationTerm: fmt.Sprintf("%032x", term), lease.AnnotationHolder: holder,
				lease.AnnotationProgram: "invoicer",
			},
		},
		Spec: coordv1.LeaseSpec{
			LeaseDurationSeconds: new(int32(15)), LeaseTransitions: new(int32(17)),
			AcquireTime: new(metav1.NewMicroTime(at)), RenewTime: new(metav1.NewMicroTime(at.Add(time.Hour))),
		},
	}
	if holder != "" {
		l.Spec.HolderIdentity = new(holder)
	}
	if successor != "" {
		l.Annotations[lease.AnnotationSuccessor] = successor
	}
	return lease.NewRecord(l)
}
