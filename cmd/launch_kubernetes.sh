# shellcheck shell=bash
# The part of launch.sh that writes a manifest for Kubernetes (1.28 or later).

# `$@` as a YAML list of strings, each line indented by ten spaces. JSON's
# quotes are YAML's.
yaml_list() {
  local item
  for item; do
    item=${item//\\/\\\\}
    item=${item//\"/\\\"}
    if [[ $item == *[[:cntrl:]]* ]]; then
      refuse "'$item': a manifest has no place for control characters"
    fi
    printf '          - "%s"\n' "${item//\$/\$\$}"
  done
}

# stdin, each line indented by four spaces.
yaml_block() { sed 's/^/    /'; }

# Of both jobs: what failed, was bad input or was stopped is not started again.
readonly failure_policy='  podFailurePolicy:
    rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget}]
    - action: FailJob
      onExitCodes: {operator: In, values: [1, 2, 3]}'

# Prints all that a job of --nnodes hosts needs but its text and image.
print_manifest() {
  local prefix=${bin:+$bin/} coordinator_command train_command
  if [[ ! $image ]]; then
    refuse "--kubernetes: name the container image with --image"
  fi
  num_hosts=${nnodes#*:}
  if [[ ! $nnodes ]]; then refuse "--kubernetes: say how many with --nnodes"; fi
  first_host=charrnn-coordinator
  check_nnodes
  make_secrets
  run_dir=/runs/${run_dir:-run}
  plan
  # Ahead of the text, whose parts may not fail.
  coordinator_command=$(yaml_list "${prefix}coordinator" \
    "${coordinator_arguments[@]}" --token_file=/secret/token \
    --tls_cert=/secret/certificate --tls_key=/secret/key)
  train_command=$(yaml_list "${prefix}train_dist" "${train_arguments[@]}" \
    --token_file=/secret/token --tls_ca=/secret/certificate)
  cat << END
# A training job of $nnodes hosts:
#   kubectl apply -f -           starts it
#   kubectl logs -f -l app=charrnn --prefix
#   kubectl delete -f -          ends it; the claim with the run goes as well
# Keep it to yourself: it has the job's secret.
apiVersion: v1
kind: Secret
metadata:
  name: charrnn
stringData:
  token: $token
  certificate: |
$(yaml_block <<< "$certificate")
  key: |
$(yaml_block <<< "$tls_key")
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: charrnn-runs
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 10Gi
---
# How hosts find the coordinator, also while it starts.
apiVersion: v1
kind: Service
metadata:
  name: $first_host
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    job-name: $first_host
  ports:
  - port: $port
---
apiVersion: batch/v1
kind: Job
metadata:
  name: $first_host
spec:
  backoffLimit: 20
$failure_policy
  template:
    metadata:
      labels:
        app: charrnn
    spec:
      restartPolicy: Never
      containers:
      - name: coordinator
        image: $image
        command:
$coordinator_command
        volumeMounts:
        - {name: secret, mountPath: /secret, readOnly: true}
        - {name: runs, mountPath: /runs}
      volumes:
      - name: secret
        secret: {secretName: charrnn}
      - name: runs
        persistentVolumeClaim: {claimName: charrnn-runs}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: charrnn
spec:
  completionMode: Indexed
  completions: $num_hosts
  parallelism: $num_hosts
  backoffLimit: 100
$failure_policy
  template:
    metadata:
      labels:
        app: charrnn
    spec:
      restartPolicy: Never
      containers:
      - name: train
        image: $image
        command:
$train_command
        # For GPUs: resources: {limits: {nvidia.com/gpu: 1}}
        volumeMounts:
        - {name: secret, mountPath: /secret/token, subPath: token}
        - {name: secret, mountPath: /secret/certificate, subPath: certificate}
      volumes:
      - name: secret
        secret: {secretName: charrnn}
END
}
