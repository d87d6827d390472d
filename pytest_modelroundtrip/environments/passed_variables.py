"""The environment variables of this process that a clean interpreter gets.

They are listed by name. A prefix is no sign of what a variable holds: `TF_AZURE_STORAGE_KEY` is a
secret of tensorflow-io, `TF_VAR_password` one of Terraform. The values of those listed here are
also printed. A user adds others by `roundtrip_pass_env`, and their values are never printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..portable import FOLDERS

SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # of a variable that a shell can name
PYTHON_PREFIX = "PYTHON"  # Python's own variables, which a clean interpreter never gets

# What changes how a model is loaded and how it computes, on any machine: found in the sources and
# libraries of TensorFlow 2.8 to 2.21, Keras and JAX, and in the manuals of the others.
EVERYWHERE = frozenset((
    # which Keras, and what it computes with; TF_KERAS and SM_FRAMEWORK: for packages on top of it
    "KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "KERAS_NNX_ENABLED", "KERAS_TORCH_DEVICE",
    "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_KERAS", "SM_FRAMEWORK",
    # what TensorFlow logs
    "TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MIN_VLOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE",
    "TF_CPP_LOG_THREAD_ID", "AUTOGRAPH_VERBOSITY",
    # how TensorFlow makes graphs
    "TF_ENABLE_CONTROL_FLOW_V2", "TF_ENABLE_COND_V2", "TF_ENABLE_WHILE_V2",
    "TF_ENABLE_TENSOR_ARRAY_V2", "TF_OPTIONALS_IN_GRADIENTS", "AUTOGRAPH_STRICT_CONVERSION",
    "TF_USE_MODULAR_FILESYSTEM", "TF_DATA_EXPERIMENT_OPT_IN", "TF_DATA_EXPERIMENT_OPT_OUT",
    # XLA
    "TF_XLA_FLAGS", "XLA_FLAGS", "TF_FUNCTION_JIT_COMPILE_DEFAULT", "TF_JIT_COMPILE_REWRITE",
    "TF_XLA_SHARDING_FOR_RESOURCE_VARIABLES", "TF_DISABLE_JIT_KERNELS", "TF_JITRT_FLAGS",
    # what makes it compute the same again
    "TF_DETERMINISTIC_OPS", "TF_DETERMINISTIC_ORDER", "TF_DETERMINISTIC_ALLOCATOR",
    "TF_CUDNN_DETERMINISTIC", "TF_CUDNN_RESET_RND_GEN_STATE", "TF_DISABLE_SCATTER_OP_DETERMINISM",
    "TF_DISABLE_SEGMENT_REDUCTION_OP_DETERMINISM_EXCEPTIONS", "CUBLAS_WORKSPACE_CONFIG",
    "TF_USE_DETERMINISTIC_SEGMENT_REDUCTIONS", "MKL_CBWR",
    # kernels of processors
    "TF_ENABLE_ONEDNN_OPTS", "TF_ENABLE_ONEDNN_SPMM", "TF_ENABLE_ZENDNN_OPTS",
    "TF_SET_ONEDNN_FPMATH_MODE", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS",
    "TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "TF_ONEDNN_THREADPOOL_USE_CALLER_THREAD",
    "TF_MKL_ALLOC_MAX_BYTES", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "TF_USE_DEEP_CONV2D",
    "TF_ENABLE_FFT_TILING_FORWARD", "TF_ENABLE_MAXPOOL_NANPROP", "TF_CPU_ALLOCATOR_USE_BFC",
    "TF_CPU_BFC_MEM_LIMIT_IN_MB",
    "ONEDNN_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "ONEDNN_VERBOSE", "DNNL_MAX_CPU_ISA", "DNNL_CPU_ISA_HINTS",
    "DNNL_DEFAULT_FPMATH_MODE", "DNNL_PRIMITIVE_CACHE_CAPACITY", "DNNL_VERBOSE",
    "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "OPENBLAS_CORETYPE",
    # kernels and memory of GPUs
    "TF_CUDNN_USE_AUTOTUNE", "TF_CUDNN_RNN_USE_AUTOTUNE", "TF_CUDNN_USE_FRONTEND",
    "TF_CUDNN_USE_RUNTIME_FUSION", "TF_CUDNN_DISABLE_CONV_1X1_OPTIMIZATION",
    "TF_CUDNN_WORKSPACE_LIMIT_IN_MB", "TF_CUBLAS_WORKSPACE_LIMIT_IN_MB",
    "TF_CUFFT_WORKSPACE_LIMIT_IN_MB", "TF_USE_CUBLASLT", "TF_USE_ROCM_NHWC",
    "TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT", "TF_USE_DEFAULT_CONV_ALGO",
    "TF_ENABLE_WINOGRAD_NONFUSED", "TF_CONV2D_USE_FP16_ACCUMULATE",
    "TF_FP16_CONV_USE_FP32_COMPUTE", "TF_FP16_MATMUL_USE_FP32_COMPUTE",
    "TF_FP16_RNN_USE_FP32_COMPUTE", "TF_AUTOTUNE_THRESHOLD", "TF_AUTOTUNE_MIN_WARMUP_ITERATIONS",
    "TF_MATMUL_AUTOTUNE_ENABLE", "TF_MATMUL_AUTOTUNE_MAX_ALGORITHMS", "NVIDIA_TF32_OVERRIDE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_EMULATE_FP16",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_IGNORE_PERFORMANCE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_SIMULATE_GPU",
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_FORCE_UNIFIED_MEMORY", "TF_GPU_ALLOCATOR",
    "TF_GPU_HOST_MEM_LIMIT_IN_MB", "TF_PER_DEVICE_MEMORY_LIMIT_MB", "TF_ENABLED_DEVICE_TYPES",
    "TF_DEVICE_MIN_SYS_MEMORY_IN_MB", "TF_MIN_GPU_MULTIPROCESSOR_COUNT", "TF_SYNC_ON_FINISH",
    "TF_CUDA_MALLOC_ASYNC_SUPPORTED_PREALLOC", "TF_ENABLE_GPU_GARBAGE_COLLECTION",
    # threads, which change the order of sums
    "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_BATCH_THREADS",
    "TF_GPU_THREAD_MODE", "TF_GPU_THREAD_COUNT", "TF_OVERRIDE_GLOBAL_THREADPOOL",
    "TF_USE_EIGEN_PARALLEL_FOR_IN_WORK_SHARDER",
    "MKL_NUM_THREADS", "MKL_DYNAMIC", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    # OpenMP, and two of its runtime by Intel
    "OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_SCHEDULE", "OMP_PROC_BIND", "OMP_PLACES",
    "OMP_STACKSIZE", "OMP_WAIT_POLICY", "OMP_MAX_ACTIVE_LEVELS", "OMP_NESTED", "OMP_THREAD_LIMIT",
    "OMP_TEAMS_THREAD_LIMIT", "OMP_NUM_TEAMS", "OMP_CANCELLATION", "OMP_DISPLAY_ENV",
    "OMP_DISPLAY_AFFINITY", "OMP_AFFINITY_FORMAT", "OMP_DEFAULT_DEVICE", "OMP_TARGET_OFFLOAD",
    "OMP_MAX_TASK_PRIORITY", "OMP_ALLOCATOR", "OMP_TOOL", "KMP_BLOCKTIME", "KMP_DUPLICATE_LIB_OK",
    # JAX and PyTorch, as backends of Keras
    "JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_ENABLE_X64", "JAX_DEFAULT_DTYPE_BITS",
    "JAX_DEFAULT_MATMUL_PRECISION", "JAX_DEFAULT_PRNG_IMPL", "JAX_NUMPY_DTYPE_PROMOTION",
    "JAX_THREEFRY_PARTITIONABLE", "JAX_DISABLE_JIT", "XLA_PYTHON_CLIENT_PREALLOCATE",
    "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_ALLOCATOR", "PYTORCH_ENABLE_MPS_FALLBACK",
))  # fmt: skip

# What names the programs, libraries, devices, folders and languages of one machine.
ON_THIS_MACHINE = frozenset((
    "PATH", "LD_LIBRARY_PATH",
    "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY",
    "LC_NUMERIC", "LC_TIME", "LC_ADDRESS", "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_NAME",
    "LC_PAPER", "LC_TELEPHONE",
    # CUDA and ROCm
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_ROOT",
    "CUDA_MODULE_LOADING", "CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_CACHE_PATH", "CUDA_CACHE_DISABLE", "CUDA_CACHE_MAXSIZE", "CUDA_FORCE_PTX_JIT",
    "CUDA_DISABLE_PTX_JIT", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "TF_CUDA_PLATFORM_GPU_DEVICE_SCHEDULE",
    # processors that threads are bound to
    "KMP_AFFINITY", "GOMP_CPU_AFFINITY",
    # libraries and folders of TensorFlow
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH", "TF_MLIR_TFR_LIB_DIR",
    "TF_JIT_CACHE_DIR", "TF_CPP_VLOG_FILENAME", "TF_DUMP_GRAPH_PREFIX", "TF_DUMP_GRAPH_FMT",
    "TF_DUMP_GRAPH_NAME_FILTER", "TF_DUMP_GRAPH_GROUPS", "TF_DUMP_GRAPH_WRAPPED",
    "TF_QUANT_MLIR_DUMP_PREFIX", "TF_GRAPH_TO_HLO_COMPILER_DUMP_DIR",
    "TF_NODE_FILE_WRITER_DIRECTORY", "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LOG_PATH",
))  # fmt: skip


def known(on_this_machine: bool) -> dict[str, str]:
    """The listed variables of this process.

    Args:
        on_this_machine: whether what gets them runs on this machine, and not in a container.
    """
    names = EVERYWHERE | ON_THIS_MACHINE if on_this_machine else EVERYWHERE
    return {name: value for name, value in os.environ.items() if name in names}


def chosen(patterns: Iterable[str]) -> dict[str, str]:
    """The variables of this process that a user chose, without those that are never passed.

    Args:
        patterns: names, in which `*` stands for any characters.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if SHELL_NAME.fullmatch(name)
        and not is_kept_clean(name)
        and any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def is_kept_clean(name: str) -> bool:
    """Whether a clean interpreter has a value of its own for that variable, or must have none."""
    return name in FOLDERS or name.startswith(PYTHON_PREFIX)


def of_python() -> list[str]:
    """The variables of Python in this process, those that a shell can name."""
    return [
        name for name in os.environ if name.startswith(PYTHON_PREFIX) and SHELL_NAME.fullmatch(name)
    ]
