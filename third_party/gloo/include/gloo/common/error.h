#ifndef CHARRNN_GLOO_COMMON_ERROR_H_
#define CHARRNN_GLOO_COMMON_ERROR_H_
// Nothing of it is used (see ../BUILD).
#endif  // CHARRNN_GLOO_COMMON_ERROR_H_
