/** The flags that bin/tsengine starts Node with; what conmon calls back is started with the same. */
export const NODE_FLAGS: readonly string[] = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
];
