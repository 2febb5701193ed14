import time
def test_x(db):
    from sqlalchemy import text
    with db.read() as c: print(c.execute(text("select count(*) from receipt")).scalar())
