package rollout

// object is what this package reads of a Pod, a ReplicaSet, a Deployment or a node.
type object struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Generation        int64             `json:"generation"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
		Annotations       map[string]string `json:"annotations"`
		OwnerReferences   []owner           `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		NodeName      string `json:"nodeName"`
		Unschedulable bool   `json:"unschedulable"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		Replicas           int64 `json:"replicas"`
		UpdatedReplicas    int64 `json:"updatedReplicas"`
		AvailableReplicas  int64 `json:"availableReplicas"`
	} `json:"status"`
}

type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// ownedBy is the name of the controller of that kind; empty if there is none.
func (o *object) ownedBy(kind string) string {
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Controller && owner.Kind == kind {
			return owner.Name
		}
	}
	return ""
}
