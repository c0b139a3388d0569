"""Operations where time goes: `<op>/naive.py` is plain torch and the oracle, `<op>/triton.py` its Triton kernel.

Each `<op>/__init__.py` holds the public function, which picks by the rule in `dispatch.py`. Nothing here
imports from the rest of the package but `errors`.
"""
