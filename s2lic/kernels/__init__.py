"""Operations that take most of the time.

`<op>/naive.py` is the reference in plain torch, `<op>/triton.py` the Triton kernel. The public function in
`<op>/__init__.py` chooses between them by the rule in `dispatch.py`. Of the package, only `errors` is imported here.
"""
