{{/* What the operator does in a namespace it watches. The bundles and derived tokens are Secrets of these namespaces. */}}
{{- define "lingma.operatorRules" -}}
- apiGroups: [lingma.dev]
  resources: [lingmaaccounts]
  verbs: [get, list, watch]
- apiGroups: [lingma.dev]
  resources: [lingmaaccounts/status]
  verbs: [patch, update]
# Owner references with blockOwnerDeletion need it where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [lingma.dev]
  resources: [lingmaaccounts/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, secrets, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What the router reads in a namespace it watches: accounts and where they are. */}}
{{- define "lingma.routerRules" -}}
- apiGroups: [lingma.dev]
  resources: [lingmaaccounts]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
{{- end -}}
