{{/* The name that every object of the release begins with. Short enough for "-operator" and a pod's own suffix. */}}
{{- define "lingma.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default "lingma" .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of an object outside the release's namespace: two releases of one name must not share it. */}}
{{- define "lingma.outsideName" -}}
{{- printf "%s-%s" .Release.Namespace (include "lingma.fullname" .) -}}
{{- end -}}

{{/* Labels of every object. Arguments: root, component ("" for what belongs to none). */}}
{{- define "lingma.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: lingma
{{ include "lingma.selectorLabels" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a component's pods. The chart's version is not among them: a new chart alone rolls no router. */}}
{{- define "lingma.podLabels" -}}
{{ include "lingma.selectorLabels" . }}
app.kubernetes.io/part-of: lingma
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with (index .root.Values .component).podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels that select the pods of a component. Never those of an account's pods, whose name is "lingma". */}}
{{- define "lingma.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* An image reference. Arguments: root, name ("gateway", "operator" or "login"). */}}
{{- define "lingma.image" -}}
{{- $image := index .root.Values.image .name -}}
{{- if not $image.repository -}}
{{- fail (printf "\n\nimage.%s.repository is not set. Build and push the images with `make images REGISTRY=...`, then give the repository of the %s image, for example `--set image.%s.repository=registry.example.com/lingma-%s`.\n" .name .name .name .name) -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "lingma.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "lingma.masterSecret" -}}
{{ include "lingma.fullname" . }}-master
{{- end -}}

{{/* The Secret of the clients' API keys: the user's own, else the one that the operator makes. */}}
{{- define "lingma.apiKeysSecret" -}}
{{- default (printf "%s-api-keys" (include "lingma.fullname" .)) .Values.apiKeys.existingSecret -}}
{{- end -}}

{{- define "lingma.watchesAll" -}}
{{- if eq (toString .Values.watch.namespaces) "all" }}true{{ end -}}
{{- end -}}

{{/* Namespaces that are watched besides the release's own, as a JSON list. */}}
{{- define "lingma.otherNamespaces" -}}
{{- $others := list -}}
{{- if not (include "lingma.watchesAll" .) -}}
{{- $others = without (uniq .Values.watch.namespaces) .Release.Namespace -}}
{{- end -}}
{{- toJson $others -}}
{{- end -}}

{{/* LINGMA_WATCH_NAMESPACES: "*" or a comma-separated list. */}}
{{- define "lingma.watchNamespaces" -}}
{{- if include "lingma.watchesAll" . -}}
*
{{- else -}}
{{- prepend (fromJsonArray (include "lingma.otherNamespaces" .)) .Release.Namespace | join "," -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security level asks of a pod. 65532 is the user of both images. */}}
{{- define "lingma.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "lingma.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Placement of a pod. Argument: the component's values. */}}
{{- define "lingma.scheduling" -}}
{{- $placement := dict -}}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- with index $ $field -}}
{{- $_ := set $placement $field . -}}
{{- end -}}
{{- end -}}
{{- with $placement -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* A map of settings as environment variables. */}}
{{- define "lingma.env" -}}
{{- range $name, $value := . }}
{{- printf "- name: %s\n  value: %s\n" $name (quote $value) }}
{{- end }}
{{- end -}}
