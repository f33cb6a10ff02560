#ifndef CHARRNN_GLOO_ALGORITHM_H_
#define CHARRNN_GLOO_ALGORITHM_H_
// Nothing of it is used (see ../BUILD).
#endif  // CHARRNN_GLOO_ALGORITHM_H_
